/** What every part of the page needs: to find its elements, and to fill its sentences. */

/**
 * Find what the template must have.
 *
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement}
 */
export function part(root, selector) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`the page must have ${selector}, has not`);
  return /** @type {HTMLElement} */ (found);
}

/**
 * Fill `{name}` places of a sentence.
 *
 * @param {string} sentence
 * @param {Record<string, string|number>} values
 * @returns {string}
 */
export function fill(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}
