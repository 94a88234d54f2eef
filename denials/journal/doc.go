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
//   - Recording never blocks the caller, and a fault in it never permits a flow.
//     It costs the caller about a microsecond per decision, whatever the disk does.
//   - Counts are exact. The sum of "count" (1 where absent) over the records of
//     denials is the number of denials, under flood and after a full disk too.
//     Each client may write 100 denials a second one by one, and 100 more of
//     datagrams, whose source address can be forged. The rest are folded, in a
//     table of the client's own, so that no client can push out the evidence of
//     another. Each client may also write 100 permitted queries, 100 other
//     permitted decisions and 100 closes a second.
//   - All unknown clients together share ten lines and 12 KiB a second, whatever
//     addresses they forge. One record for each reason counts the rest.
//   - A record keeps the attempt: Record.Attempt gives it back exactly, so that
//     replay and suggest can ask the policy again. "omitted" lists the fields in
//     which the attempts of one record differ. "truncated" means that a value was
//     cut. A record of schema 1 gives back its destination only.
//   - A line is one line: at most 16 KiB, with every control byte, invalid byte
//     and formatting character escaped.
//   - "seq" grows with each line of one "boot". "time" is when the
//     decision was made; a folded record carries the time of its last one and is
//     written within a second of it.
//   - The record of a start has "own", a list: the addresses of the gateway's
//     listeners (address:port) and of its host, at most 4 KiB of them.
//
// The journal never holds query strings, credentials or request bodies: no front
// end passes them. The package creates no directories. It skips a broken line and
// reports its file and number.
//
// The strings and names in an Attempt are kept as they are until they are
// written, so they must not share memory that changes. Raw, Resolved and Pinned
// are copied.
package journal

import _ "sallyport" // this package needs Linux
