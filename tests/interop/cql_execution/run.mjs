/**
 * Evaluates every expression of a CQL library on cql-execution, for many charts in one process.
 *
 * Standard input, JSON: {libraries: [ELM], primary: name, valueSets: {url: [{code, system}]},
 *   charts: [{id, resources: [FHIR], now: ISO 8601 with offset, parameters: {}}]}
 * Standard output, JSON: {chart id: {definition: value}}, values in the form described at `plain`;
 *   a definition that raised has {error: message}.
 */
import { readFileSync } from 'node:fs';
import cql from 'cql-execution';
import fhir from 'cql-exec-fhir';

// Its check of parameter types fails on any list where the declared default is the empty list.
cql.PatientContext.prototype.checkParameters = () => true;

const job = JSON.parse(readFileSync(0, 'utf8'));
const elm = Object.fromEntries(job.libraries.map((library) => [library.library.identifier.id, library]));
const library = new cql.Library(elm[job.primary], new cql.Repository(elm));
const codes = new cql.CodeService(
  Object.fromEntries(Object.entries(job.valueSets).map(([url, members]) => [url, { 1: members }]))
);
// Where a parameter has neither a value nor a default, this engine answers its declaration: say null instead.
const unset = Object.fromEntries(Object.keys(library.parameters).map((name) => [name, null]));
for (const [name, declared] of Object.entries(library.parameters)) if (declared.default) delete unset[name];
const source = fhir.PatientSource.FHIRv401();

/** A value that has no offset of its own has the one of the evaluation, which this engine takes from the process. */
function liveAt(now) {
  const offset = /([+-])(\d{2}):(\d{2})$/.exec(now.replace(/Z$/, '+00:00'));
  if (!offset || offset[3] !== '00') throw new Error(`${now}: needs a whole-hour offset`);
  process.env.TZ = `Etc/GMT${offset[1] === '-' ? '+' : '-'}${Number(offset[2])}`; // POSIX counts westward
}

/**
 * Null, booleans, strings and numbers as they are; lists as lists; everything else as an object with one key:
 * date, datetime, time, quantity, ratio, interval, code, concept, tuple, resource (Type/id), element (its JSON).
 */
function plain(value) {
  if (value === null || value === undefined) return null;
  if (['boolean', 'string', 'number'].includes(typeof value)) return value;
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value.isUncertainty) return { uncertainty: [plain(value.low), plain(value.high)] };
  if (value.isDateTime && value.isTime()) return { time: value.toString() };
  if (value.isDateTime) return { datetime: value.toString() };
  if (value.isDate) return { date: value.toString() };
  if (value.isQuantity) return { quantity: [value.value, value.unit ?? '1'] };
  if (value.isRatio) return { ratio: [plain(value.numerator), plain(value.denominator)] };
  if (value.isInterval) {
    return { interval: [plain(value.low), plain(value.high), value.lowClosed, value.highClosed] };
  }
  if (value.isCode) return { code: [value.system ?? null, value.code, value.display ?? null] };
  if (value.isConcept) return { concept: [plain(value.codes), value.display ?? null] };
  if (value.isValueSet) return { valueset: value.oid };
  if ('_json' in value) {
    const json = value._json;
    return json?.resourceType ? { resource: `${json.resourceType}/${json.id}` } : { element: json };
  }
  return { tuple: Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)])) };
}

async function evaluate(chart) {
  liveAt(chart.now);
  source.reset();
  source.loadBundles([
    { resourceType: 'Bundle', type: 'collection', entry: chart.resources.map((resource) => ({ resource })) },
  ]);
  const context = new cql.PatientContext(
    library,
    await source.currentPatient(),
    codes,
    { ...unset, ...chart.parameters },
    cql.DateTime.parse(chart.now)
  );
  const results = {};
  for (const [name, definition] of Object.entries(library.expressions)) {
    try {
      results[name] = plain(await definition.execute(context));
    } catch (error) {
      results[name] = { error: String(error?.message ?? error) };
    }
  }
  return results;
}

const answers = {};
for (const chart of job.charts) answers[chart.id] = await evaluate(chart);
process.stdout.write(JSON.stringify(answers));
