/**
 * ITU-T G.722 clause 3: one sub-band's adaptive predictor and quantizer scale, with the
 * Recommendation's fixed-point arithmetic. Names of the tables are those of its clause 6.
 */

const WL = Int32Array.of(-60, -30, 58, 172, 334, 538, 1198, 3042);
const RL42 = Uint8Array.of(0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0);
// deno-fmt-ignore
const ILB = Int32Array.of(
  2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
  2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
);
const WH = Int32Array.of(0, -214, 798);
const RH2 = Uint8Array.of(2, 1, 2, 1);
const QM2 = Int32Array.of(-7408, -1616, 7408, 1616);
// deno-fmt-ignore
const QM4 = Int32Array.of(
  0, -20456, -12896, -8968, -6288, -4240, -2584, -1200,
  20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
);
// deno-fmt-ignore
const QM6 = Int32Array.of(
  -136, -136, -136, -136, -24808, -21904, -19008, -16704,
  -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
  -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576,
  -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
  24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192,
  10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
  4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032,
  1688, 1360, 1040, 728, 432, 136, -432, -136,
);
// deno-fmt-ignore
const Q6 = Int32Array.of(
  0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714,
  786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
);
/** Decision levels that are looked at in the lower band; the last index means above all. */
const LEVELS = 30;
/** Decision level of the higher band. */
const HIGH_LEVEL = 564;
const LOW_SCALE_LIMIT = 18432;
const HIGH_SCALE_LIMIT = 22528;
const LOW_START = 32;
const HIGH_START = 8;
/** Limits of what the two bands give to the synthesis filter. */
const BAND_MAX = 16383;
const BAND_MIN = -16384;

function saturate(value: number): number {
  return value > 32767 ? 32767 : value < -32768 ? -32768 : value;
}

/** Predictor with two poles and six zeros, and the logarithmic scale of the quantizer. */
class Band {
  /** Predicted value. */
  s = 0;
  /** Scale of the quantizer, linear. */
  det: number;
  #scale = 0;
  #zeroPart = 0;
  #a1 = 0;
  #a2 = 0;
  #r1 = 0;
  #p1 = 0;
  #p2 = 0;
  readonly #b = new Int32Array(6);
  readonly #d = new Int32Array(6);
  readonly #limit: number;
  readonly #shift: number;

  constructor(det: number, limit: number, shift: number) {
    this.det = det;
    this.#limit = limit;
    this.#shift = shift;
  }

  /** LOGSCL, SCALEL and their like for the higher band. */
  protected rescale(weight: number): void {
    const scale = ((this.#scale * 127) >> 7) + weight;
    this.#scale = scale < 0 ? 0 : scale > this.#limit ? this.#limit : scale;
    const shift = this.#shift - (this.#scale >> 11);
    const mantissa = ILB[(this.#scale >> 6) & 31]!;
    this.det = (shift < 0 ? mantissa << -shift : mantissa >> shift) << 2;
  }

  /** RECONS, PARREC, UPPOL2, UPPOL1, UPZERO, DELAYA, FILTEP, FILTEZ, PREDIC. */
  protected adapt(difference: number): void {
    const r0 = saturate(this.s + difference);
    const p0 = saturate(this.#zeroPart + difference);
    this.#adaptPoles(p0);
    this.#adaptZeros(difference);
    const poles = saturate(
      ((this.#a1 * saturate(r0 + r0)) >> 15) +
        ((this.#a2 * saturate(this.#r1 + this.#r1)) >> 15),
    );
    this.#r1 = r0;
    this.#p2 = this.#p1;
    this.#p1 = p0;
    this.s = saturate(poles + this.#zeroPart);
  }

  #adaptPoles(p0: number): void {
    const like1 = (p0 < 0) === (this.#p1 < 0);
    const like2 = (p0 < 0) === (this.#p2 < 0);
    const four = saturate(this.#a1 << 2);
    const pull = Math.min(32767, like1 ? -four : four);
    let a2 = (pull >> 7) + (like2 ? 128 : -128) + ((this.#a2 * 32512) >> 15);
    a2 = a2 > 12288 ? 12288 : a2 < -12288 ? -12288 : a2;
    const bound = saturate(15360 - a2);
    const a1 = saturate((like1 ? 192 : -192) + ((this.#a1 * 32640) >> 15));
    this.#a1 = a1 > bound ? bound : a1 < -bound ? -bound : a1;
    this.#a2 = a2;
  }

  #adaptZeros(difference: number): void {
    const b = this.#b;
    const d = this.#d;
    const step = difference === 0 ? 0 : 128;
    const isNegative = difference < 0;
    for (let i = 0; i < 6; i++) {
      const turn = (d[i]! < 0) === isNegative ? step : -step;
      b[i] = saturate(turn + ((b[i]! * 32640) >> 15));
    }
    for (let i = 5; i > 0; i--) d[i] = d[i - 1]!;
    d[0] = difference;
    let sum = 0;
    for (let i = 5; i >= 0; i--) sum += (b[i]! * saturate(2 * d[i]!)) >> 15;
    this.#zeroPart = saturate(sum);
  }
}

/** 0 to 4 kHz, six bits a sample. */
export class LowBand extends Band {
  constructor() {
    super(LOW_START, LOW_SCALE_LIMIT, 8);
  }

  encode(sample: number): number {
    const error = saturate(sample - this.s);
    const magnitude = error < 0 ? ~error : error;
    let level = 1;
    while (level < LEVELS && magnitude >= (Q6[level]! * this.det) >> 12) level++;
    // Codes count down with the magnitude; the two largest negative ones stand apart (ILN, ILP).
    const code = error >= 0 ? 62 - level : level < 3 ? 64 - level : 34 - level;
    this.#step(code >> 2);
    return code;
  }

  /** Gives the sample for the synthesis filter. */
  decode(code: number): number {
    const value = this.s + ((this.det * QM6[code]!) >> 15);
    this.#step(code >> 2);
    return value > BAND_MAX ? BAND_MAX : value < BAND_MIN ? BAND_MIN : value;
  }

  #step(code: number): void {
    const difference = (this.det * QM4[code]!) >> 15;
    this.rescale(WL[RL42[code]!]!);
    this.adapt(difference);
  }
}

/** 4 to 8 kHz, two bits a sample. */
export class HighBand extends Band {
  constructor() {
    super(HIGH_START, HIGH_SCALE_LIMIT, 10);
  }

  encode(sample: number): number {
    const error = saturate(sample - this.s);
    const magnitude = error < 0 ? ~error : error;
    const isLarge = magnitude >= (HIGH_LEVEL * this.det) >> 12;
    const code = (error < 0 ? 0 : 2) + (isLarge ? 0 : 1);
    this.#step(code);
    return code;
  }

  decode(code: number): number {
    const value = this.s + ((this.det * QM2[code]!) >> 15);
    this.#step(code);
    return value > BAND_MAX ? BAND_MAX : value < BAND_MIN ? BAND_MIN : value;
  }

  #step(code: number): void {
    const difference = (this.det * QM2[code]!) >> 15;
    this.rescale(WH[RH2[code]!]!);
    this.adapt(difference);
  }
}
