/** Why an event is not forwarded: README.md of Bellhop says what each means. */
export type Cause =
  | "source_unknown"
  | "method_not_allowed"
  | "header_ambiguous"
  | "media_type_unsupported"
  | "body_too_large"
  | "signature_invalid"
  | "json_malformed"
  | "event_invalid"
  | "event_type_refused"
  | "duplicate"
  | "subject_missing"
  | "account_conflict"
  | "account_unknown"
  | "directory_unavailable"
  | "upstream_unavailable";

/** A range of the text. Lines count from 1, columns from 1 in UTF-16 units. */
export interface Place {
  startByte: number;
  endByte: number;
  line: number;
  column: number;
  endLine: number;
  endColumn: number;
}

/** One thing that is wrong with an event. */
export interface Fault {
  /** A JSON Pointer, or null where the text is no JSON. */
  pointer: string | null;
  message: string;
  place: Place | null;
}

export type IdKind = "device_id" | "bridge_id" | "access_code_id";

/** What an event is about, and whose it is as far as the configuration knows. */
export interface Subject {
  ids: { kind: IdKind; id: string; owners: string[] }[];
  assignedBy: IdKind | null;
  accounts: { connectedAccountId: string; customerKey: string | null }[];
}

/** What would become of an event. */
export interface Judgement {
  /** `asks_the_directory`: no account of the configuration owns its ids, and there is a directory to ask. */
  outcome: "forwarded" | "asks_the_directory" | Cause;
  /** The title of the cause, or null. */
  title: string | null;
  /** Whether it goes to the quarantine sink. */
  quarantined: boolean;
  /** Whether its sender should send it again unchanged. */
  retry: boolean;
  /** The name of the source. */
  source: string;
  errors: Fault[];
  /** What was wrong with the proof of the sender; no sender is told. */
  signatureFault:
    | "missing"
    | "too_long"
    | "malformed"
    | "id_invalid"
    | "timestamp_invalid"
    | "timestamp_too_old"
    | "timestamp_too_new"
    | "mismatch"
    | null;
  /** What the event says of itself; null if it has not the standard shape. */
  event: { eventType: string; known: boolean; timestamp: string } | null;
  subject: Subject | null;
  /** What the sender gets, unless that is upstream's own answer. */
  answer: { status: number; headers: [name: string, value: string][]; body: string } | null;
  /** What is added to the request for upstream, or for the quarantine sink. */
  headers: [name: string, value: string][];
  /** The sender's headers that are removed. */
  removed: string[];
}

export interface CheckOptions {
  /** The source that would send the event; needed if the configuration has several. */
  source?: string;
  /** The sender's headers. Without a content type, application/json is taken. */
  headers?: Record<string, string> | [name: string, value: string][];
  /** If given, the source's proof is asked for, with this secret in place of the configured ones. */
  secret?: string;
  /** The time at which proofs are judged; now, unless given. */
  now?: Date;
}

/** The plugin configuration is refused. `path` is the key, as in `sources[0].verify`. */
export class ConfigError extends Error {
  path: string;
  place: Place | null;
}

/**
 * What Bellhop would do with an event. An object is judged as `JSON.stringify` writes it; what JSON text can hold beyond that, repeated
 * members for instance, needs text or bytes. Without a configuration only form and shape count.
 * @throws {ConfigError}
 */
export function check(event: string | Uint8Array | object, config?: string | object, options?: CheckOptions): Judgement;

/**
 * The headers that prove an event under one of the schemes of `verify`, e.g. `{ hmac: { header: 'x-signature' } }`.
 * @throws {TypeError} if there is no such scheme, or the secret does not suit it
 */
export function sign(
  event: string | Uint8Array | object,
  verify: object,
  secret: string,
  options?: { id?: string; now?: Date },
): Record<string, string>;
