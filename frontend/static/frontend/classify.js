/**
 * The classify page, put together. Without it the form works too, one post per question.
 */
import { Asking } from "./asking.js";
import { claims, oneAtATime } from "./claims.js";
import { Desk } from "./desk.js";
import { deviceStore } from "./device.js";
import { Favourite } from "./favourite.js";
import { FeedbackCard } from "./feedback.js";
import { Keeper, PREFIX } from "./keeping.js";
import { bindKeys } from "./keys.js";
import { Outbox } from "./outbox.js";
import { part } from "./page.js";
import { picture, preload, Renderings } from "./pictures.js";
import { Server } from "./server.js";
import { Settings } from "./settings.js";
import { Shelf } from "./shelf.js";
import { Status } from "./status.js";
import { Viewer } from "./viewer.js";

const data = JSON.parse(part(document, "#page-data").textContent ?? "{}");
const form = /** @type {HTMLFormElement} */ (part(document, "#asking"));
const token = /** @type {HTMLInputElement} */ (part(form, "[name=csrfmiddlewaretoken]")).value;
const { sizes } = /** @type {HTMLImageElement} */ (part(document, "#galaxy"));
const store = deviceStore();
const locks = navigator.locks;
const claim = claims(locks);

const server = new Server(data, token);
const status = new Status(document, data.words);
const settings = new Settings(part(document, "#settings"), store);
const feedback = new FeedbackCard(part(document, "#feedback"), data.words);
const viewer = new Viewer(part(document, "#viewer"), data.words, (tool) => tools[tool]?.());
const heart = document.querySelector("[data-tool=favourite]");
const favourite =
  heart instanceof HTMLElement
    ? new Favourite(heart, (...given) => server.markFavourite(...given), (isRefused) =>
        isRefused ? status.trouble("heart") : status.takeBack(["heart"]))
    : null;
const renderings = new Renderings(part(document, "#renderings"), (chosen) => viewer.show(picture(chosen, sizes)));
const outbox = new Outbox({
  keeper: new Keeper(store),
  send: (entries) => server.send(entries),
  account: () => server.data.account,
  alone: oneAtATime(locks),
  onState: (state) => desk.outboxChanged(state),
  onResults: (results) => {
    status.results(results);
    mend();
    for (const result of results) if (result.feedback) feedback.show(result.feedback);
  },
});
const shelf = new Shelf({
  fetchNext: (count) => server.fetchNext(count),
  preload: (subject) => preload(subject, sizes),
  unsent: () => outbox.entries.map(({ subject }) => subject),
  claim,
});
const asking = new Asking(form, {
  onAnswer: (slug, skip) => desk.answer(slug, skip),
  onNothing: () => desk.nothing(),
  onSend: () => desk.send(),
  onBack: () => desk.back(),
  onCrumb: (steps) => desk.back(steps),
});
const desk = new Desk({ server, outbox, shelf, asking, status, viewer, settings, display });

/** @type {Record<string, () => void>} */
const tools = {
  retry: () => viewer.show(picture(renderings.all[renderings.place], sizes)),
  skip: () => desk.skip(),
  favourite: () => void favourite?.toggle(),
};

/** @param {import("./shelf.js").Subject} subject */
function display(subject) {
  const isHere = viewer.image.src.endsWith(subject.images.page);
  subject.picture ??= isHere ? viewer.image : picture(subject.images, sizes);
  viewer.show(subject.picture);
  renderings.offer(subject.renderings);
  favourite?.show(subject.id);
}

/** The server is in reach: have what did not arrive before. */
function mend() {
  if (viewer.isBroken) tools.retry();
  shelf.topUp();
}

const use = (/** @type {string} */ tool) => () => viewer.use(tool);
bindKeys(
  document,
  {
    answer: (place) => desk.isBetween || asking.choose(place),
    next: () => desk.isBetween || asking.goOn(true),
    back: () => (desk.isBetween ? desk.undo() : desk.back()),
    undo: () => desk.undo(),
    help: () => status.toggleKeys(),
    favourite: tools.favourite,
    in: use("in"),
    out: use("out"),
    reset: use("reset"),
    rotate: use("rotate"),
    invert: use("invert"),
    earlier: () => renderings.choose(renderings.place - 1),
    later: () => renderings.choose(renderings.place + 1),
    close: () => (status.close(), feedback.close()),
  },
  () => settings.get("keys"),
);
part(document, "#undo button").addEventListener("click", () => desk.undo());
addEventListener("online", () => (mend(), void outbox.flush()));
addEventListener("pagehide", () => void outbox.hurry());
addEventListener("visibilitychange", () => document.visibilityState === "hidden" && void outbox.hurry());
addEventListener("storage", ({ key }) => {
  if (key !== null && !key.startsWith(PREFIX)) return;
  for (const entry of outbox.entries) shelf.mark(entry.subject);
  outbox.tell();
});
addEventListener("beforeunload", (event) => outbox.keeper.isForgetful && event.preventDefault());
void desk.start(claim);
