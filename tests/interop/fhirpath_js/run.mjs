/**
 * Asks expressions a second time, with the npm package fhirpath and its model of FHIR R4.
 *
 * Standard input, JSON: {values: [[item]], asked: [{expression, base, focus, variables: {name: index}}]}, where `focus`
 * and the variables are indexes into `values`, and `base` is the type or path of the only item of the focus, or null.
 * Standard output, JSON: one [item] for each that was asked, or the text of the error.
 */
import { readFileSync } from 'node:fs';
import fhirpath from 'fhirpath';
import r4 from 'fhirpath/fhir-context/r4/index.js';

const { values, asked } = JSON.parse(readFileSync(0, 'utf8'));
const compiled = new Map();
const options = { traceFn: () => {} }; // what a trace shows is nothing of the answer

/** One resource is given as it is; of several, the engine wants to know that it has read them itself. */
function given(items) {
  if (items.length === 1) return items[0];
  if (!items.some((item) => item?.resourceType)) return items;
  const entry = items.map((resource) => ({ resource }));
  return fhirpath.evaluate({ resourceType: 'Bundle', entry }, 'entry.resource', {}, r4);
}

const answers = asked.map(({ expression, base, focus, variables }) => {
  const key = `${base} ${expression}`;
  try {
    if (!compiled.has(key)) compiled.set(key, fhirpath.compile(base ? { base, expression } : expression, r4, options));
    const known = Object.fromEntries(Object.entries(variables).map(([name, index]) => [name, given(values[index])]));
    const found = values[focus];
    return compiled.get(key)(base ? found[0] : found, known);
  } catch (error) {
    return String(error.message ?? error);
  }
});
process.stdout.write(JSON.stringify(answers));
