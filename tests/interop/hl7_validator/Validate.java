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
import org.hl7.fhir.convertors.factory.VersionConvertorFactory_40_50;
import org.hl7.fhir.r4.formats.JsonParser;
import org.hl7.fhir.r5.conformance.profile.ProfileUtilities;
import org.hl7.fhir.r5.elementmodel.Manager.FhirFormat;
import org.hl7.fhir.r5.model.CanonicalResource;
import org.hl7.fhir.r5.model.Resource;
import org.hl7.fhir.r5.model.StructureDefinition;
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
 * folder, and so does {@code --check-examples FOLDER}, where example.org addresses are allowed; {@code --snapshot
 * FOLDER} makes the snapshot of every profile of a folder anew. No terminology server is asked: codes of systems that
 * no package defines can't be checked, and the validator says so in a warning.
 *
 * <p>Standard output: one JSON object a line: file, severity, location, id (of the message), message;
 * for a file without any message, one line with the severity "none", so that a file never goes unseen. For a snapshot
 * the severity is "snapshot" and the message the profile in FHIR R4.
 */
public final class Validate {
    private static final String PACKAGE = "--package";
    private static final String LOAD = "--load";
    private static final String CHECK = "--check";
    private static final String CHECK_EXAMPLES = "--check-examples";

    private static final String SNAPSHOT = "--snapshot";

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
                case SNAPSHOT -> snapshot(engine, Path.of(value));
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

    private static void snapshot(ValidationEngine engine, Path folder) throws IOException {
        Gson gson = new Gson();
        for (Path file : files(folder)) {
            Resource resource = engine.loadResource(Files.readAllBytes(file), file.toString());
            if (resource instanceof StructureDefinition profile) {
                StructureDefinition base =
                        engine.getContext().fetchResource(StructureDefinition.class, profile.getBaseDefinition());
                profile.setSnapshot(null);
                List<ValidationMessage> messages = new ArrayList<>();
                new ProfileUtilities(engine.getContext(), messages, null)
                        .generateSnapshot(base, profile, profile.getUrl(), "http://hl7.org/fhir/R4/", profile.getName());
                String made = new JsonParser().composeString(VersionConvertorFactory_40_50.convertResource(profile));
                Map<String, String> line = new LinkedHashMap<>();
                line.put("file", file.toString());
                line.put("severity", "snapshot");
                line.put("message", made);
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
