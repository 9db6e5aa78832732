// What a patient answered to the questions of a service.
import { html } from './html.js';
import { Card, Facts } from './ui.js';

/** @param {{answers?: {question: string, answer: string}[]}} props */
export function Answers({ answers = [] }) {
  if (answers.length === 0) return null;
  return html`<${Card} title="Answered before coming"><${Facts} items=${answers.map((one) => [one.question, one.answer])} /><//>`;
}
