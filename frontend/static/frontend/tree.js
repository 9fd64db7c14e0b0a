/**
 * Walks a decision tree. A path is the answers given so far, from the start; nothing here
 * touches the page.
 *
 * @typedef {{slug: string, text: string, next: string|null, icon: string}} Answer
 * @typedef {{slug: string, text: string, help: string, answers: Answer[]}} Question
 * @typedef {{start: string, questions: Record<string, Question>}} Tree
 * @typedef {[question: string, answer: string]} Step
 */

/**
 * Return one answer of a question.
 *
 * @param {Tree} tree
 * @param {Step} step
 * @returns {Answer}
 * @throws {RangeError} for a question or answer that the tree lacks
 */
export function answerAt(tree, [question, answer]) {
  const found = tree.questions[question]?.answers.find((each) => each.slug === answer);
  if (!found) throw new RangeError(`the tree must have ${question}: ${answer}, has not`);
  return found;
}

/**
 * Return the question that is open after `path`, or null once the path is complete.
 *
 * @param {Tree} tree
 * @param {Step[]} path
 * @returns {Question|null}
 * @throws {RangeError} for a step that the tree does not allow there
 */
export function openQuestion(tree, path) {
  /** @type {string|null} */
  let open = tree.start;
  for (const step of path) {
    if (step[0] !== open) throw new RangeError(`path must go on with ${open}, has ${step[0]}`);
    open = answerAt(tree, step).next;
  }
  return open === null ? null : tree.questions[open];
}

/**
 * Return the path one answer further.
 *
 * @param {Tree} tree
 * @param {Step[]} path
 * @param {string} answer
 * @returns {Step[]}
 * @throws {RangeError} for an answer that the open question lacks, or a complete path
 */
export function extend(tree, path, answer) {
  const question = openQuestion(tree, path);
  if (!question) throw new RangeError("path must have an open question, is complete");
  answerAt(tree, [question.slug, answer]);
  return [...path, [question.slug, answer]];
}

/**
 * Return the answers kept from an earlier walk that still apply after `path`, in order, as
 * far as they lead.
 *
 * @param {Tree} tree
 * @param {Step[]} path
 * @param {Map<string, string>} kept question to answer
 * @returns {Step[]}
 */
export function keptAfter(tree, path, kept) {
  /** @type {Step[]} */
  const rest = [];
  for (let open = openQuestion(tree, path); open; open = openQuestion(tree, [...path, ...rest])) {
    const answer = kept.get(open.slug);
    if (!open.answers.some(({ slug }) => slug === answer)) break;
    rest.push([open.slug, /** @type {string} */ (answer)]);
  }
  return rest;
}

/**
 * Return the words of the answers given so far.
 *
 * @param {Tree} tree
 * @param {Step[]} path
 * @returns {string[]}
 */
export function spoken(tree, path) {
  return path.map((step) => answerAt(tree, step).text);
}

/**
 * Estimate how many questions the whole walk has: those answered, and those still to come
 * if every answer were as likely as the others.
 *
 * @param {Tree} tree
 * @param {Step[]} path
 * @returns {number}
 */
export function expectedLength(tree, path) {
  const open = openQuestion(tree, path);
  return path.length + Math.round(open ? toCome(tree, open.slug, new Map()) : 0);
}

/**
 * @param {Tree} tree
 * @param {string} slug
 * @param {Map<string, number>} known
 * @returns {number}
 */
function toCome(tree, slug, known) {
  const before = known.get(slug);
  if (before !== undefined) return before;
  const answers = tree.questions[slug].answers;
  const after = answers.map(({ next }) => (next === null ? 0 : toCome(tree, next, known)));
  const mean = 1 + after.reduce((sum, each) => sum + each, 0) / answers.length;
  known.set(slug, mean);
  return mean;
}
