// Package journal keeps the evidence: it writes one line of JSON for every
// denial, and reads the lines back.
//
// The Recorder stands between the front ends and the policy. It is itself a
// rules.Gate, so that every denial is in the journal. Scan, Cursor and Tail read
// the lines back, from rotated and compressed files too. Usage counts what the
// Recorder permits, by rule.
//
// The package promises:
//
//   - Recording never blocks the caller, and a fault in the recorder never permits a
//     flow. Recording costs the caller about a microsecond per decision, even if the
//     disk is slow or fails.
//   - Counts are exact. The sum of "count" (1 where absent) over the records of
//     denials is the number of denials, also in a flood and after a full disk.
//     In each second, a client may cause 100 single records of denials, and 100
//     more of denied datagrams, whose source address can be forged. Its other
//     denials are folded: the journal counts them in a table of that client
//     only, so no client can push out the evidence of another. A client may also
//     cause 100 records of permitted queries, 100 of other permitted decisions
//     and 100 of closes a second.
//   - All unknown clients together share ten lines and 12 KiB a second, for any
//     forged addresses. One record for each reason counts the rest.
//   - A record keeps the attempt: Record.Attempt restores it exactly, so that
//     replay and suggest can ask the policy again. "omitted" lists the fields in
//     which the attempts of one record differ. "truncated" means that a value was
//     cut. A record of schema 1 restores only its destination.
//   - A record is one line of at most 16 KiB. Every control byte, invalid byte
//     and formatting character in it is escaped.
//   - "seq" grows with each line of one "boot". "time" is the time of the
//     decision. A folded record has the time of its last decision, and is written
//     within a second of that time.
//   - The record of a start has "own", a list: the addresses of the gateway's
//     listeners (address:port) and of its host, at most 4 KiB of them.
//
// The journal never holds query strings, credentials or request bodies, because
// no front end passes them. The package creates no directories. It skips a broken
// line and reports its file and number.
//
// The strings and names in an Attempt are kept as they are until they are
// written, so they must not share memory that changes. Raw, Resolved and Pinned
// are copied.
package journal

import _ "sallyport" // this package needs Linux
