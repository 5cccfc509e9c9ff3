/**
 * Fills forms a second time, with @aehrc/sdc-populate; what it asks a server for comes from the input.
 *
 * Standard input, JSON: [{id, questionnaire, patient, encounter, searches: {query: Bundle}}]
 * Standard output, JSON: {id: {response: QuestionnaireResponse, unanswered: [query], said: [text]}}
 */
import { readFileSync } from 'node:fs';
import { populateQuestionnaire } from '@aehrc/sdc-populate';

const answers = {};
console.warn = console.error = () => {}; // its warnings come back in the answer
for (const { id, questionnaire, patient, encounter, searches } of JSON.parse(readFileSync(0, 'utf8'))) {
  const unanswered = [];
  const { populateResult } = await populateQuestionnaire({
    questionnaire,
    patient,
    encounter,
    fetchResourceRequestConfig: {},
    fetchResourceCallback: async (query) => {
      if (query in searches) return searches[query];
      unanswered.push(query);
      throw new Error('nothing is known of this query');
    },
    fetchTerminologyRequestConfig: { terminologyServerUrl: 'https://terminology.invalid' },
    fetchTerminologyCallback: async () => {
      throw new Error('no terminology server is asked');
    },
  });
  answers[id] = {
    response: populateResult?.populatedResponse ?? null,
    unanswered,
    said: (populateResult?.issues?.issue ?? []).map((issue) => issue.details?.text ?? issue.code),
  };
}
process.stdout.write(JSON.stringify(answers));
