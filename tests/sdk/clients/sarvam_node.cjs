// What an application does with the vendor's own client for Node, unmodified; run by tests/sdk/test_sarvam.py. Tells what it
// got as one JSON object.
//
//     node sarvam_node.cjs http://127.0.0.1:8080 KEY WRONG_KEY LATE_KEY
"use strict";

const path = require("node:path");
const { SarvamAIClient } = require(path.resolve(__dirname, "../../../.sdk/node/node_modules/sarvamai"));

const [base, key, wrong, late] = process.argv.slice(2);
const TEXT = "Hello there. This text has more than fifty characters, so it is spoken at once.";
const environment = { base, creative: base, production: base.replace("http", "ws") };
const client = (apiSubscriptionKey) => new SarvamAIClient({ environment, apiSubscriptionKey });
const report = {};

const failure = async (call) => {
  try {
    await call();
    return null;
  } catch (error) {
    return [error.statusCode, error.body && error.body.error && error.body.error.code];
  }
};

async function retries() {
  const slow = client(late).textToSpeech;
  const asked = { text: "Now.", language_code: "en-IN" };
  for (let n = 0; n < 10 && report.too_many === undefined; n += 1) {
    const failed = await failure(() => slow.convert(asked, { maxRetries: 0 }));
    if (failed) [report.too_many] = failed;
  }
  report.retried = (await slow.convert(asked, { maxRetries: 2 })).audios.length;
}

async function oneShot() {
  const { textToSpeech } = client(key);
  const answer = await textToSpeech.convert({ text: TEXT, language_code: "en-IN", speaker: "ritu" });
  report.file = Buffer.from(answer.audios[0], "base64").subarray(0, 4).toString();
  const stream = await textToSpeech.convertStream({ text: TEXT, language_code: "en-IN" });
  report.stream = (await stream.arrayBuffer()).byteLength > 10_000;
}

async function conversation() {
  const socket = await client(key).textToSpeechStreaming.connect({
    model: "bulbul:v3",
    send_completion_event: "true",
    reconnectAttempts: 0,
  });
  const heard = [];
  let final = null;
  socket.on("message", (message) => {
    heard.push(message.type);
    if (message.type !== "audio") final();
  });
  socket.connect();
  await socket.waitForOpen();
  // It drops a language by this name, which older examples have.
  socket.configureConnection({ target_language_code: "en-IN", speaker: "ritu" });
  report.cycles = [];
  for (const text of [TEXT, "Short."]) {
    const done = new Promise((resolve) => { final = resolve; });
    socket.convert(text);
    socket.ping();
    socket.flush();
    await done;
    report.cycles.push([...new Set(heard.splice(0))].sort());
  }
  socket.close();
}

async function main() {
  await retries();
  await oneShot();
  await conversation();
  report.errors = {
    key: await failure(() => client(wrong).textToSpeech.convert({ text: TEXT, language_code: "en-IN" })),
    speaker: await failure(() =>
      client(key).textToSpeech.convert({ text: TEXT, language_code: "en-IN", speaker: "nobody" })),
  };
  console.log(JSON.stringify(report));
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
