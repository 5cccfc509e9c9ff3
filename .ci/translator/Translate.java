import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import kotlinx.io.CoreKt;
import kotlinx.io.JvmCoreKt;
import kotlinx.io.Source;
import org.cqframework.cql.cql2elm.CqlCompilerException;
import org.cqframework.cql.cql2elm.CqlCompilerOptions;
import org.cqframework.cql.cql2elm.CqlCompilerOptions.Options;
import org.cqframework.cql.cql2elm.CqlTranslator;
import org.cqframework.cql.cql2elm.LibraryBuilder.SignatureLevel;
import org.cqframework.cql.cql2elm.LibraryManager;
import org.cqframework.cql.cql2elm.LibrarySourceProvider;
import org.cqframework.cql.cql2elm.ModelManager;
import org.cqframework.cql.cql2elm.quick.FhirLibrarySourceProvider;
import org.hl7.elm.r1.VersionedIdentifier;

/**
 * Runs the reference CQL-to-ELM translator over one folder of libraries, in one virtual machine.
 *
 * <p>Arguments: the folder with the {@code .cql} files, and the folder that receives, for each
 * library, the translator's own {@code Name.json}; for FHIRHelpers, which is taken from the
 * translator's artifact and never from the folder, its {@code FHIRHelpers.cql} too.
 *
 * <p>Every message goes to standard output as one line of tab-separated fields: severity, library,
 * start line, start character, message. The exit code is 0 even when there are errors: whoever reads
 * the messages judges them.
 */
public final class Translate {
    private static final String HELPERS = "FHIRHelpers";
    private static final String HELPERS_VERSION = "4.0.1";

    private Translate() {}

    public static void main(String[] args) throws IOException {
        Path folder = Path.of(args[0]);
        Path output = Path.of(args[1]);
        String helpers = standardHelpers();
        Files.writeString(output.resolve(HELPERS + ".cql"), helpers);

        List<String> names = new ArrayList<>(List.of(HELPERS));
        try (Stream<Path> files = Files.list(folder)) {
            files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".cql") && !name.equals(HELPERS + ".cql"))
                    .map(name -> name.substring(0, name.length() - ".cql".length()))
                    .sorted()
                    .forEach(names::add);
        }

        LibraryManager libraries = new LibraryManager(new ModelManager(), options());
        LibrarySourceProvider sources = new LibrarySourceProvider() {
            @Override
            public Source getLibrarySource(VersionedIdentifier library) {
                try {
                    return source(text(folder, library.getId(), helpers));
                } catch (IOException absent) {
                    return null; // the translator then reports the library it could not find
                }
            }
        };
        libraries.getLibrarySourceLoader().registerProvider(sources);

        for (String name : names) {
            // No system: with one, the translator would write the machine's path into its messages.
            VersionedIdentifier identifier = new VersionedIdentifier().withId(name);
            CqlTranslator translator =
                    CqlTranslator.fromSource(null, identifier, source(text(folder, name, helpers)), libraries);
            for (CqlCompilerException problem : translator.getExceptions()) {
                System.out.println(describe(name, problem));
            }
            Files.writeString(output.resolve(name + ".json"), translator.toJson());
        }
    }

    private static CqlCompilerOptions options() {
        return new CqlCompilerOptions(
                        CqlCompilerException.ErrorSeverity.Info,
                        SignatureLevel.Overloads,
                        Options.EnableLocators,
                        Options.EnableResultTypes,
                        Options.DisableListDemotion,
                        Options.DisableListPromotion)
                .withCompatibilityLevel("1.5")
                .withValidateUnits(true);
    }

    private static String standardHelpers() throws IOException {
        String resource = "/org/hl7/fhir/" + HELPERS + "-" + HELPERS_VERSION + ".cql";
        try (InputStream stream = FhirLibrarySourceProvider.class.getResourceAsStream(resource)) {
            if (stream == null) {
                throw new IOException(resource + " is not in the translator's artifacts");
            }
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static String text(Path folder, String name, String helpers) throws IOException {
        return name.equals(HELPERS) ? helpers : Files.readString(folder.resolve(name + ".cql"));
    }

    private static Source source(String text) {
        return CoreKt.buffered(
                JvmCoreKt.asSource(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8))));
    }

    private static String describe(String name, CqlCompilerException problem) {
        var at = problem.getLocator();
        String library = at == null || at.getLibrary() == null ? name : at.getLibrary().getId();
        String place = at == null ? "1\t1" : at.getStartLine() + "\t" + at.getStartChar();
        String message = String.valueOf(problem.getMessage()).replaceAll("\\s+", " ");
        return problem.getSeverity() + "\t" + library + "\t" + place + "\t" + message;
    }
}
