/** The heart: keeps a galaxy among the volunteer's favourites. */

export class Favourite {
  /**
   * @param {HTMLElement} button
   * @param {(subject: number, favourite: boolean) => Promise<{favourite: boolean}>} mark
   * @param {(isRefused: boolean) => void} onAnswer
   */
  constructor(button, mark, onAnswer) {
    this.button = button;
    this.mark = mark;
    this.onAnswer = onAnswer;
    this.subject = 0;
    /** @type {Set<number>} */
    this.hearts = new Set();
  }

  /** @param {number} subject */
  show(subject) {
    this.subject = subject;
    this.button.setAttribute("aria-pressed", String(this.hearts.has(subject)));
  }

  async toggle() {
    const subject = this.subject;
    const wanted = !this.hearts.has(subject);
    this.set(subject, wanted);
    try {
      this.set(subject, (await this.mark(subject, wanted)).favourite);
      this.onAnswer(false);
    } catch {
      this.set(subject, !wanted);
      this.onAnswer(true);
    }
  }

  /**
   * @param {number} subject
   * @param {boolean} isFavourite
   */
  set(subject, isFavourite) {
    if (isFavourite) this.hearts.add(subject);
    else this.hearts.delete(subject);
    if (subject === this.subject) this.show(subject);
  }
}
