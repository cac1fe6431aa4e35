// Token ids to logits: embedding, recurrence or convolution, pooling, head; as docs/bundle.md says it.
// V tokens, E embedding, H hidden size, G gates x H, W width of a state, C labels.
"use strict";

const GATES = { gru: 3, lstm: 4 };

/** A bundle's network. A review of no token gets the answer of the bias alone. */
class Network {
  /** `tensors` are Float32Arrays by name, row by row. */
  constructor(config, tensors) {
    this.config = config;
    this.tensors = tensors;
    this.embedding = tensors["embedding.weight"];
    this.isRecurrent = config.architecture in GATES;
    this.layers = this.isRecurrent ? layersOf(config, tensors) : [];
  }

  /** The logits [C] of one review. */
  logits(ids) {
    return this.head(this.pooled(this.states(ids)));
  }

  /** The logits after each token, as if the review ended there: [tokens + 1][C], first of no token. */
  trace(ids) {
    const { bidirectional, pooling } = this.config;
    if (pooling === "last" && !bidirectional) {
      return [this.logits([]), ...this.states(ids).map((state) => this.head(state))];
    }
    return [...ids, 0].map((_, end) => this.logits(ids.slice(0, end)));
  }

  /** The states [tokens][W]; with "last" pooling a backward state is that of the whole review. */
  states(ids) {
    const embedded = ids.map((id) => this.embedded(id));
    return this.isRecurrent ? this.recurrent(ids, embedded) : this.convolved(embedded);
  }

  embedded(id) {
    const { embedding_dim: size, vocab_size: count } = this.config;
    if (!(Number.isInteger(id) && id >= 0 && id < count)) throw new RangeError(`no token ${id}`);
    return this.embedding.subarray(id * size, (id + 1) * size);
  }

  recurrent(ids, embedded) {
    let inputs = embedded;
    this.layers.forEach((cells, layer) => {
      const directions = cells.map((cell, direction) => {
        const order = direction ? [...inputs.keys()].reverse() : [...inputs.keys()];
        const outputs = new Array(inputs.length);
        const state = cell.start();
        for (const at of order) {
          const projected = layer ? cell.project(inputs[at]) : cell.ofToken(ids[at], inputs[at]);
          outputs[at] = cell.step(state, projected);
        }
        return outputs;
      });
      inputs = inputs.map((_, at) => concatenated(directions.map((outputs) => outputs[at])));
    });
    return inputs;
  }

  convolved(embedded) {
    const { filter_widths: widths, num_filters: count, embedding_dim: size } = this.config;
    return embedded.map((_, at) => {
      const state = new Float64Array(count * widths.length);
      widths.forEach((width, number) => {
        const weight = this.tensors[`cnn.weight_${width}`]; // [F, E, width]
        const bias = this.tensors[`cnn.bias_${width}`];
        for (let filter = 0; filter < count; filter++) {
          let sum = bias[filter];
          for (let back = 0; back < width && back <= at; back++) {
            const token = embedded[at - back];
            const column = filter * size * width + (width - 1 - back);
            for (let e = 0; e < size; e++) sum += weight[column + e * width] * token[e];
          }
          state[number * count + filter] = Math.max(sum, 0);
        }
      });
      return state;
    });
  }

  /** One vector for a review. */
  pooled(states) {
    const { pooling } = this.config;
    const half = pooling === "max_mean" ? 2 : 1;
    if (!states.length) return new Float64Array(this.tensors["ln1.weight"].length / this.labelCount());
    if (pooling === "last") return this.last(states);
    const weights = pooling === "attention" ? this.attention(states) : states.map(() => 1 / states.length);
    const mean = states[0].map((_, w) => states.reduce((sum, state, at) => sum + weights[at] * state[w], 0));
    if (pooling === "mean" || pooling === "attention") return mean;
    const largest = states[0].map((_, w) => states.reduce((most, state) => Math.max(most, state[w]), -Infinity));
    return half === 2 ? concatenated([largest, mean]) : largest;
  }

  /** The state after the last token that each direction reads: backwards that is the first one. */
  last(states) {
    const { bidirectional, hidden_size: size } = this.config;
    const end = states[states.length - 1];
    if (!this.isRecurrent || !bidirectional) return end;
    return concatenated([end.subarray(0, size), states[0].subarray(size)]);
  }

  attention(states) {
    const weight = this.tensors["attention.weight"];
    const scores = states.map((state) => state.reduce((sum, value, w) => sum + value * weight[w], 0));
    return softmax(scores);
  }

  head(pooled) {
    const weight = this.tensors["ln1.weight"];
    return Array.from(this.tensors["ln1.bias"], (bias, label) => {
      let sum = bias;
      for (let w = 0; w < pooled.length; w++) sum += weight[label * pooled.length + w] * pooled[w];
      return sum;
    });
  }

  labelCount() {
    return this.tensors["ln1.bias"].length;
  }
}

/** One direction of a GRU's or an LSTM's layer. */
class Cell {
  constructor(architecture, weightIh, weightHh, biasIh, biasHh) {
    this.isGru = architecture === "gru";
    this.size = weightHh.length / biasHh.length;
    Object.assign(this, { weightIh, weightHh, biasIh, biasHh });
    this.projections = new Map(); // of tokens: what they contribute to the gates
  }

  start() {
    return { h: new Float64Array(this.size), c: new Float64Array(this.size) };
  }

  /** W x + b [G]. */
  project(input) {
    return product(this.weightIh, input, this.biasIh);
  }

  ofToken(id, embedded) {
    let projected = this.projections.get(id);
    if (!projected) this.projections.set(id, (projected = this.project(embedded)));
    return projected;
  }

  /** Read one projected token into the state; returns the new h [H]. */
  step(state, x) {
    const size = this.size;
    const recurrent = product(this.weightHh, state.h, this.biasHh);
    const h = new Float64Array(size);
    for (let i = 0; i < size; i++) {
      if (this.isGru) {
        const r = sigmoid(x[i] + recurrent[i]);
        const z = sigmoid(x[size + i] + recurrent[size + i]);
        const n = Math.tanh(x[2 * size + i] + r * recurrent[2 * size + i]);
        h[i] = (1 - z) * n + z * state.h[i];
      } else {
        const input = sigmoid(x[i] + recurrent[i]);
        const forget = sigmoid(x[size + i] + recurrent[size + i]);
        const g = Math.tanh(x[2 * size + i] + recurrent[2 * size + i]);
        const output = sigmoid(x[3 * size + i] + recurrent[3 * size + i]);
        state.c[i] = forget * state.c[i] + input * g;
        h[i] = output * Math.tanh(state.c[i]);
      }
    }
    state.h = h;
    return h;
  }
}

function layersOf(config, tensors) {
  const ends = config.bidirectional ? ["", "_reverse"] : [""];
  return Array.from({ length: config.num_layers }, (_, layer) =>
    ends.map((end) => {
      const of = (name) => tensors[`${config.architecture}.${name}_l${layer}${end}`];
      return new Cell(config.architecture, of("weight_ih"), of("weight_hh"), of("bias_ih"), of("bias_hh"));
    }),
  );
}

/** weight [rows, columns] times vector [columns], plus bias [rows]: four rows at once, for speed. */
function product(weight, vector, bias) {
  const columns = vector.length;
  const rows = bias.length;
  const result = new Float64Array(rows);
  let row = 0;
  for (; row + 3 < rows; row += 4) {
    const at = row * columns;
    let first = bias[row];
    let second = bias[row + 1];
    let third = bias[row + 2];
    let fourth = bias[row + 3];
    for (let column = 0, place = at; column < columns; column++, place++) {
      const value = vector[column];
      first += weight[place] * value;
      second += weight[place + columns] * value;
      third += weight[place + 2 * columns] * value;
      fourth += weight[place + 3 * columns] * value;
    }
    result[row] = first;
    result[row + 1] = second;
    result[row + 2] = third;
    result[row + 3] = fourth;
  }
  for (; row < rows; row++) {
    let sum = bias[row];
    for (let column = 0; column < columns; column++) sum += weight[row * columns + column] * vector[column];
    result[row] = sum;
  }
  return result;
}

function concatenated(parts) {
  const result = new Float64Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

function sigmoid(value) {
  return 1 / (1 + Math.exp(-value));
}

function softmax(values) {
  const largest = Math.max(...values);
  const exponentials = values.map((value) => Math.exp(value - largest));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}

globalThis.nsmc = { ...globalThis.nsmc, Network, softmax };
