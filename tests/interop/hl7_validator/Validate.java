import com.google.gson.Gson;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.hl7.fhir.r5.elementmodel.Manager.FhirFormat;
import org.hl7.fhir.r5.model.CanonicalResource;
import org.hl7.fhir.r5.model.Resource;
import org.hl7.fhir.utilities.http.ManagedWebAccess;
import org.hl7.fhir.utilities.validation.ValidationMessage;
import org.hl7.fhir.validation.ValidationEngine;
import org.hl7.fhir.validation.instance.InstanceValidator;

/**
 * Runs the HL7 FHIR validator over folders of JSON resources, in one virtual machine and without any network.
 *
 * <p>Arguments, in order, any number of each: {@code --package id#version} loads a FHIR package from
 * the cache under {@code user.home} (the first one is the FHIR core); {@code --load FOLDER} makes every
 * canonical resource of a folder known; {@code --check FOLDER} validates every {@code .json} file of a
 * folder, and so does {@code --check-examples FOLDER}, where example.org addresses are allowed. No terminology server is asked: codes of systems that no package defines can't be checked,
 * and the validator says so in a warning.
 *
 * <p>Standard output: one JSON object a line: file, severity, location, id (of the message), message;
 * for a file without any message, one line with the severity "none", so that a file never goes unseen.
 */
public final class Validate {
    private static final String PACKAGE = "--package";
    private static final String LOAD = "--load";
    private static final String CHECK = "--check";
    private static final String CHECK_EXAMPLES = "--check-examples";

    private Validate() {}

    public static void main(String[] args) throws Exception {
        ManagedWebAccess.setAccessPolicy(ManagedWebAccess.WebAccessPolicy.PROHIBITED);
        ValidationEngine engine = null;
        for (int i = 0; i < args.length; i += 2) {
            String value = args[i + 1];
            switch (args[i]) {
                case PACKAGE -> {
                    if (engine == null) {
                        engine = new ValidationEngine.ValidationEngineBuilder()
                                .withVersion("4.0.1")
                                .withNoTerminologyServer()
                                .fromSource(value);
                        engine.setTerminologyServer(null, null, null, false);
                    } else {
                        engine.loadPackage(value.substring(0, value.indexOf('#')), value.substring(value.indexOf('#') + 1));
                    }
                }
                case LOAD -> load(engine, Path.of(value));
                case CHECK -> check(engine, Path.of(value), false);
                case CHECK_EXAMPLES -> check(engine, Path.of(value), true);
                default -> throw new IllegalArgumentException("unknown option " + args[i]);
            }
        }
    }

    private static void load(ValidationEngine engine, Path folder) throws IOException {
        for (Path file : files(folder)) {
            Resource resource = engine.loadResource(Files.readAllBytes(file), file.toString());
            if (resource instanceof CanonicalResource) {
                engine.seeResource(resource);
            }
        }
        engine.prepare();
    }

    private static void check(ValidationEngine engine, Path folder, boolean examples) throws Exception {
        engine.setAllowExampleUrls(examples);
        Gson gson = new Gson();
        for (Path file : files(folder)) {
            List<ValidationMessage> messages = new ArrayList<>();
            InstanceValidator validator = engine.getValidator(FhirFormat.JSON);
            validator.validate(
                    null, messages, new ByteArrayInputStream(Files.readAllBytes(file)), FhirFormat.JSON, new ArrayList<>());
            if (messages.isEmpty()) {
                System.out.println(gson.toJson(Map.of("file", file.toString(), "severity", "none")));
            }
            for (ValidationMessage message : messages) {
                Map<String, String> line = new LinkedHashMap<>();
                line.put("file", file.toString());
                line.put("severity", message.getLevel().toCode());
                line.put("location", message.getLocation());
                line.put("id", String.valueOf(message.getMessageId()));
                line.put("message", message.getMessage());
                System.out.println(gson.toJson(line));
            }
        }
    }

    private static List<Path> files(Path folder) throws IOException {
        try (Stream<Path> found = Files.walk(folder)) {
            return found.filter(path -> path.toString().endsWith(".json")).sorted().toList();
        }
    }
}
