// The judgement of Bellhop's edge, in Node. It reads one file of this package, when it is loaded, and nothing else.

import { readFileSync } from "node:fs";

import * as wasm from "./inspector.js";

wasm.initSync({ module: readFileSync(new URL("inspector_bg.wasm", import.meta.url)) });

const encoder = new TextEncoder();

/** The configuration is refused. */
export class ConfigError extends Error {
  constructor({ message, path, place }) {
    super(path === "" ? message : `${path}: ${message}`);
    this.name = "ConfigError";
    this.path = path;
    this.place = place;
  }
}

function bytesOf(event) {
  if (event instanceof Uint8Array) return event;
  return encoder.encode(typeof event === "string" ? event : JSON.stringify(event));
}

function pairs(headers = {}) {
  return Array.isArray(headers) ? headers : Object.entries(headers);
}

export function check(event, config, options = {}) {
  const { source, headers, secret, now = new Date() } = options;
  const question = { headers: pairs(headers), nowS: Math.floor(now.getTime() / 1000) };
  if (config !== undefined) question.config = typeof config === "string" ? config : JSON.stringify(config);
  if (source !== undefined) question.source = source;
  if (secret !== undefined) question.secret = secret;
  const { configError, judgement } = JSON.parse(wasm.judge(bytesOf(event), JSON.stringify(question)));
  if (configError !== null) throw new ConfigError(configError);
  return judgement;
}

export function sign(event, verify, secret, options = {}) {
  const { id = "msg_test", now = new Date() } = options;
  const question = { verify, secret, id, nowS: Math.floor(now.getTime() / 1000) };
  const { error, headers } = JSON.parse(wasm.sign(bytesOf(event), JSON.stringify(question)));
  if (error !== null) throw new TypeError(error);
  return Object.fromEntries(headers);
}
