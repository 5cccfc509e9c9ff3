/**
 * Extracts responses a second time: the published template Bundle is filled with fhirpath.js, and the whole form is
 * given to @aehrc/sdc-template-extract.
 *
 * Standard input, JSON: [{id, questionnaire, response}]
 * Standard output, JSON: {id: {filled: Bundle, aehrc: {entries: number, said: [text]}}}
 */
import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import fhirpath from 'fhirpath';
import r4 from 'fhirpath/fhir-context/r4/index.js';

// The package is written for bundlers: it imports a folder, which Node does not resolve by itself.
const hook = `export const resolve = (name, context, next) =>
  next(name === 'fhirpath/fhir-context/r4' ? name + '/index.js' : name, context);`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
const { inAppExtract } = await import('@aehrc/sdc-template-extract');

const SDC = 'http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-';
const CONTEXT = `${SDC}templateExtractContext`;
const VALUE = `${SDC}templateExtractValue`;
const BUNDLE = `${SDC}templateExtractBundle`;

/** Values of an expression; what is not the response is one of its answers. */
function evaluate(context, expression, response) {
  const path = context === response ? expression : { base: 'QuestionnaireResponse.item.answer', expression };
  return fhirpath.evaluate(context, path, { resource: response }, r4);
}

/** What stands in place of a template: none, one or several elements. */
function fill(node, context, response) {
  if (node === null || typeof node !== 'object') return [node];
  const own = Object.fromEntries((node.extension ?? []).map((part) => [part.url, part.valueString]));
  if (VALUE in own) return evaluate(context, own[VALUE], response);
  const contexts = CONTEXT in own ? evaluate(context, own[CONTEXT], response) : [context];
  return contexts.flatMap((found) => {
    const made = {};
    for (const [name, value] of Object.entries(node)) {
      if (name === 'extension') continue;
      const list = Array.isArray(value);
      const filled = (list ? value : [value]).flatMap((one) => fill(one, found, response));
      if (filled.length) made[name.replace(/^_/, '')] = list ? filled : filled[0];
    }
    return Object.keys(made).length ? [made] : [];
  });
}

const answers = {};
console.warn = console.error = () => {}; // its warnings come back in the answer
for (const { id, questionnaire, response } of JSON.parse(readFileSync(0, 'utf8'))) {
  const reference = questionnaire.extension.find((part) => part.url === BUNDLE).valueReference.reference;
  const { id: _, ...template } = questionnaire.contained.find((part) => `#${part.id}` === reference);
  const [filled] = fill(template, response, response);
  const { extractResult } = await inAppExtract(response, questionnaire);
  const outcome = extractResult.resourceType === 'OperationOutcome' ? extractResult : extractResult.issues;
  answers[id] = {
    filled,
    aehrc: {
      entries: extractResult.extractedBundle?.entry?.length ?? 0,
      said: (outcome?.issue ?? []).map((issue) => issue.details?.text ?? issue.diagnostics ?? issue.code),
    },
  };
}
process.stdout.write(JSON.stringify(answers));
