/**
 * Keeps the page of a running round live: over a WebSocket, or by asking the API every
 * few seconds where there is no socket. The page is whole without this file; a reload shows
 * the same.
 *
 * @typedef {{name: string, state: string, progress: number, message: string, error: string}} Stage
 * @typedef {{id: number, state: string, is_active: boolean, cancel_requested: boolean, is_stalled: boolean, stages: Stage[]}} Snapshot
 */

const POLL_MS = 2000;
const RETRY_MS = 10000;

/**
 * Show a snapshot on the page.
 * @param {ParentNode} root
 * @param {Snapshot} snapshot
 */
export function show(root, snapshot) {
  for (const stage of snapshot.stages) {
    const line = /** @type {HTMLElement | null} */ (
      root.querySelector(`[data-stage="${stage.name}"]`)
    );
    if (line !== null) showStage(line, stage);
  }
}

/**
 * @param {HTMLElement} line
 * @param {Stage} stage
 */
function showStage(line, stage) {
  const percent = Math.round(stage.progress * 100);
  line.dataset.state = stage.state;
  const bar = /** @type {HTMLProgressElement} */ (line.querySelector("progress"));
  bar.value = percent;
  setText(line, ".stage-percent", `${percent}%`);
  setText(line, ".stage-message", stage.error || stage.message);
}

/**
 * @param {ParentNode} root
 * @param {string} selector
 * @param {string} text
 */
function setText(root, selector, text) {
  const found = root.querySelector(selector);
  if (found !== null && found.textContent !== text) found.textContent = text;
}

/**
 * What of a snapshot the page can only show after a reload: forms, verdict, errors.
 * @param {Snapshot} snapshot
 * @returns {string}
 */
export function shape(snapshot) {
  return JSON.stringify([snapshot.state, snapshot.cancel_requested, snapshot.is_stalled]);
}

/**
 * Follow a round until it ends.
 * @param {object} options
 * @param {string} options.socket Address of the round's socket.
 * @param {string} options.api Address of the round in the API.
 * @param {(snapshot: Snapshot) => void} options.onSnapshot Called with each new snapshot.
 * @param {(url: string) => WebSocket} [options.connect] Opens a socket.
 * @param {typeof fetch} [options.request] Asks the API.
 * @returns {() => void} Stops following.
 */
export function follow({
  socket,
  api,
  onSnapshot,
  connect = (url) => new WebSocket(url),
  request = (...given) => fetch(...given),
}) {
  let stopped = false;
  let isLive = false;
  /** @type {WebSocket | undefined} */
  let open;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let retry;

  /** @param {Snapshot} snapshot */
  const take = (snapshot) => {
    if (stopped) return;
    onSnapshot(snapshot);
    if (!snapshot.is_active) stop();
  };

  const listen = () => {
    open = connect(socket);
    open.addEventListener("message", (event) => {
      isLive = true;
      take(JSON.parse(event.data));
    });
    open.addEventListener("close", () => {
      isLive = false;
      if (!stopped) retry = setTimeout(listen, RETRY_MS);
    });
  };

  const ask = async () => {
    if (isLive || stopped) return;
    try {
      const answer = await request(api, { headers: { Accept: "application/json" } });
      if (answer.ok) take(await answer.json());
    } catch {
      // Out of reach for now: the next turn asks again.
    }
  };

  const timer = setInterval(ask, POLL_MS);
  const stop = () => {
    stopped = true;
    clearInterval(timer);
    clearTimeout(retry);
    open?.close();
  };
  listen();
  return stop;
}

/** Start on the page of a round; elsewhere do nothing. */
function start() {
  const root = document.getElementById("round");
  if (root === null) return;
  const { round = "", api = "" } = root.dataset;
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  /** @type {string | undefined} */
  let first;
  follow({
    socket: `${scheme}//${location.host}/ws/rounds/${round}/`,
    api,
    onSnapshot: (snapshot) => {
      show(root, snapshot);
      first ??= shape(snapshot);
      const changed = snapshot.state !== root.dataset.state || shape(snapshot) !== first;
      if (changed) location.reload();
    },
  });
}

if (typeof document !== "undefined") start();
