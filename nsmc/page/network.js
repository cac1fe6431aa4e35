// Token ids to logits: embedding, recurrence or convolution, pooling, head; as docs/bundle.md says it.
// V tokens, E embedding, H hidden size, G gates x H, W width of a state, C labels.
"use strict";

const GATES = { gru: 3, lstm: 4 };
const MOST_KEPT = 4e6; // numbers that are kept of tokens read before

/** A bundle's network. A review of no token gets the answer of the bias alone. */
class Network {
  /** `tensors` are Float32Arrays by name, row by row. */
  constructor(config, tensors) {
    this.config = config;
    this.tensors = tensors;
    this.isRecurrent = config.architecture in GATES;
    this.layers = this.isRecurrent ? layersOf(config, tensors) : [];
    this.filters = this.isRecurrent ? [] : filtersOf(config, tensors);
  }

  /** The logits [C] of one review. */
  logits(ids) {
    return this.head(this.pooled(this.states(ids)));
  }

  /**
   * The logits after each token, as if the review ended there: [tokens + 1][C], first of no token.
   * A generator, which pauses after each answer that has to be computed anew.
   */
  *tracing(ids) {
    const { bidirectional, pooling } = this.config;
    const ends = [...ids.keys()].map((at) => at + 1);
    const first = this.logits([]);
    if (this.isRecurrent && bidirectional) {
      const others = [];
      for (const end of ends) {
        others.push(this.logits(ids.slice(0, end)));
        yield;
      }
      return [first, ...others];
    }
    const states = this.states(ids); // a state does not know what follows it
    const pooledAt = (end) => (pooling === "last" ? states[end - 1] : this.pooled(states.slice(0, end)));
    return [first, ...ends.map((end) => this.head(pooledAt(end)))];
  }

  /** The states [tokens][W]; with "last" pooling a backward state is that of the whole review. */
  states(ids) {
    const { vocab_size: count } = this.config;
    const wrong = ids.find((id) => !(Number.isInteger(id) && id >= 0 && id < count));
    if (wrong !== undefined) throw new RangeError(`no token ${wrong}`);
    const states = this.isRecurrent ? this.recurrent(ids) : this.convolved(ids);
    const width = states.length / ids.length;
    return ids.map((_, at) => states.subarray(at * width, (at + 1) * width));
  }

  /** The embedding of a token [E], into `target` from `at` on. */
  embed(id, target, at) {
    const size = this.config.embedding_dim;
    target.set(this.tensors["embedding.weight"].subarray(id * size, (id + 1) * size), at);
  }

  /** The states of the last layer [tokens x W]. */
  recurrent(ids) {
    let inputs = null;
    this.layers.forEach((cells, layer) => {
      const width = cells.length * this.config.hidden_size;
      const outputs = new Float64Array(ids.length * width);
      cells.forEach((cell, direction) => {
        cell.start();
        for (let read = 0; read < ids.length; read++) {
          const at = direction ? ids.length - 1 - read : read;
          const projected = layer ? cell.project(inputs, at) : this.projected(cell, ids[at]);
          outputs.set(cell.step(projected), at * width + direction * cell.size);
        }
      });
      inputs = outputs;
    });
    return inputs;
  }

  /** What a token gives a cell's gates [G]: computed when it is first read. */
  projected(cell, id) {
    let projected = cell.ofTokens.get(id);
    if (!projected) {
      const embedded = new Float64Array(this.config.embedding_dim);
      this.embed(id, embedded, 0);
      projected = cell.project(embedded, 0).slice();
      if (cell.ofTokens.size * projected.length >= MOST_KEPT) cell.ofTokens.clear();
      cell.ofTokens.set(id, projected);
    }
    return projected;
  }

  /** The states [tokens x W]; a filter that begins before the review reads zeros there. */
  convolved(ids) {
    const { filter_widths: widths, num_filters: count, embedding_dim: size } = this.config;
    const before = Math.max(...widths) - 1;
    const inputs = new Float64Array((before + ids.length) * size);
    ids.forEach((id, at) => this.embed(id, inputs, (before + at) * size));
    const states = new Float64Array(ids.length * count * widths.length);
    const sums = new Float64Array(count);
    for (let at = 0; at < ids.length; at++) {
      this.filters.forEach(({ width, weight, bias }, number) => {
        product(weight, inputs, (before + at + 1 - width) * size, bias, sums);
        states.set(sums.map((sum) => Math.max(sum, 0)), (at * widths.length + number) * count);
      });
    }
    return states;
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

/** One direction of a GRU's or an LSTM's layer. What its methods return is overwritten by the next call. */
class Cell {
  constructor(architecture, weightIh, weightHh, biasIh, biasHh) {
    const gates = biasHh.length;
    this.isGru = architecture === "gru";
    this.size = weightHh.length / gates;
    this.weightIh = transposed(weightIh, gates);
    this.weightHh = transposed(weightHh, gates);
    this.biasIh = Float64Array.from(biasIh);
    this.biasHh = Float64Array.from(biasHh);
    this.inputs = new Float64Array(gates); // W x + b
    this.recurrent = new Float64Array(gates); // U h + d
    this.h = new Float64Array(this.size);
    this.c = new Float64Array(this.size);
    this.isFirst = true;
    this.ofTokens = new Map(); // [G] by id
  }

  start() {
    this.h.fill(0);
    this.c.fill(0);
    this.isFirst = true;
  }

  /** W x + b [G], where x is the row `at` of `rows`. */
  project(rows, at) {
    const columns = this.weightIh.length / this.biasIh.length;
    return product(this.weightIh, rows, at * columns, this.biasIh, this.inputs);
  }

  /** Read one projected token; returns the new h [H]. */
  step(x) {
    if (this.isFirst) this.recurrent.set(this.biasHh); // h is zero
    else product(this.weightHh, this.h, 0, this.biasHh, this.recurrent);
    this.isFirst = false;
    if (this.isGru) this.stepOfGru(x);
    else this.stepOfLstm(x);
    return this.h;
  }

  stepOfGru(x) {
    const { size, recurrent, h } = this;
    for (let i = 0; i < size; i++) {
      const r = sigmoid(x[i] + recurrent[i]);
      const z = sigmoid(x[size + i] + recurrent[size + i]);
      const n = Math.tanh(x[2 * size + i] + r * recurrent[2 * size + i]);
      h[i] = n + z * (h[i] - n);
    }
  }

  stepOfLstm(x) {
    const { size, recurrent, h, c } = this;
    for (let i = 0; i < size; i++) {
      const input = sigmoid(x[i] + recurrent[i]);
      const forget = sigmoid(x[size + i] + recurrent[size + i]);
      const g = Math.tanh(x[2 * size + i] + recurrent[2 * size + i]);
      const output = sigmoid(x[3 * size + i] + recurrent[3 * size + i]);
      c[i] = forget * c[i] + input * g;
      h[i] = output * Math.tanh(c[i]);
    }
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

/** Of each width of filters the weight [width x E, F] and the bias [F]. */
function filtersOf({ filter_widths: widths, num_filters: count, embedding_dim: size }, tensors) {
  return widths.map((width) => {
    const stored = tensors[`cnn.weight_${width}`]; // [F, E, width]
    const weight = new Float32Array(stored.length);
    for (let filter = 0, from = 0; filter < count; filter++) {
      for (let e = 0; e < size; e++) {
        for (let token = 0; token < width; token++, from++) weight[(token * size + e) * count + filter] = stored[from];
      }
    }
    return { width, weight, bias: Float64Array.from(tensors[`cnn.bias_${width}`]) };
  });
}

/** A matrix [rows, columns] as [columns, rows]. */
function transposed(matrix, rows) {
  const columns = matrix.length / rows;
  const result = new Float32Array(matrix.length);
  for (let row = 0, from = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, from++) result[column * rows + row] = matrix[from];
  }
  return result;
}

/**
 * weight [columns, rows] times the vector [columns] that begins at `from`, plus bias [rows], into
 * `result`. This is where the page's time goes. Eight columns at once, each array always of the same
 * type, take half the time of row by row.
 */
function product(weight, vector, from, bias, result) {
  const rows = bias.length;
  const columns = weight.length / rows;
  result.set(bias);
  let column = 0;
  for (; column + 7 < columns; column += 8) {
    const at = from + column;
    const v0 = vector[at];
    const v1 = vector[at + 1];
    const v2 = vector[at + 2];
    const v3 = vector[at + 3];
    const v4 = vector[at + 4];
    const v5 = vector[at + 5];
    const v6 = vector[at + 6];
    const v7 = vector[at + 7];
    const w0 = column * rows;
    const w1 = w0 + rows;
    const w2 = w1 + rows;
    const w3 = w2 + rows;
    const w4 = w3 + rows;
    const w5 = w4 + rows;
    const w6 = w5 + rows;
    const w7 = w6 + rows;
    for (let row = 0; row < rows; row++) {
      result[row] +=
        v0 * weight[w0 + row] +
        v1 * weight[w1 + row] +
        v2 * weight[w2 + row] +
        v3 * weight[w3 + row] +
        v4 * weight[w4 + row] +
        v5 * weight[w5 + row] +
        v6 * weight[w6 + row] +
        v7 * weight[w7 + row];
    }
  }
  for (; column < columns; column++) {
    const value = vector[from + column];
    const at = column * rows;
    for (let row = 0; row < rows; row++) result[row] += value * weight[at + row];
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
