/**
 * Translates CQL with the JavaScript build of the translator, which is newer than the one that writes our ELM.
 *
 * Standard input, JSON: {sources: {library name: CQL}}. Standard output, JSON: {library name: ELM}.
 * The options are those of .ci/translator; the units are checked there, and taken as they are here.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { SystemModelInfoProvider } from '@cqframework/cql/cql';
import {
  CqlCompilerOptions,
  CqlTranslator,
  LibraryBuilder,
  LibraryManager,
  ModelManager,
  createLibrarySourceProvider,
  createModelInfoProvider,
  createUcumService,
  stringAsSource,
} from '@cqframework/cql/cql-to-elm';

const { sources } = JSON.parse(readFileSync(0, 'utf8'));
const fhirModel = createRequire(import.meta.url)('cql-exec-fhir/lib/modelInfos/fhir-modelinfo-4.0.1.xml.js');

const { Options } = CqlCompilerOptions;
const options = new CqlCompilerOptions()
  .withOptions([
    Options.EnableLocators,
    Options.EnableResultTypes,
    Options.DisableListDemotion,
    Options.DisableListPromotion,
  ])
  .withSignatureLevel(LibraryBuilder.SignatureLevel.Overloads)
  .withCompatibilityLevel('1.5');

const unsupported = () => {
  throw new Error('no unit is converted while translating');
};
const models = new ModelManager();
models.modelInfoLoader.registerModelInfoProvider(new SystemModelInfoProvider());
models.modelInfoLoader.registerModelInfoProvider(
  createModelInfoProvider((id, _system, version) =>
    id === 'FHIR' && version === '4.0.1' ? stringAsSource(fhirModel) : null
  )
);
const libraries = new LibraryManager(
  models,
  options,
  null,
  createUcumService(unsupported, () => null, unsupported, unsupported)
);
libraries.librarySourceLoader.registerProvider(
  createLibrarySourceProvider((id) => (id in sources ? stringAsSource(sources[id]) : null))
);

const translated = {};
for (const [name, text] of Object.entries(sources)) {
  translated[name] = JSON.parse(CqlTranslator.fromText(text, libraries).toJson());
}
process.stdout.write(JSON.stringify(translated));
