// Package denials keeps the evidence: one line for every denial, and the
// queries that read those lines back.
//
// The Recorder stands between the front ends and the policy. It is itself a
// rules.Gate, so no denial can be given that the journal does not see. The
// Journal writes JSON Lines; Scan reads them, rotated and compressed files
// included. On it stand Review, which commands and page share, Site.Suggest,
// which tries changes of a configuration out in memory, Replay, and Tail.
// Usage counts what was permitted, by rule.
//
// It promises:
//
//   - Recording never blocks the caller and never opens the gate. A decision
//     costs its caller about a microsecond, whatever the disk does.
//   - Counts are exact. The sum of "count" (1 where absent) over the records
//     of denials is the number of denials, under flood and after a full disk too.
//     Up to 100 denials a second of one client are written one by one, those
//     of datagrams, whose source anybody can write, apart from the others; the
//     rest are folded, each client in its own table, so that no client can
//     push out another's evidence. Permitted queries, other permitted decisions
//     and closes have a hundred a second each, too.
//   - Sources that no [[client]] covers share ten lines and 12 KiB a second,
//     whatever addresses they forge, and one record for each reason counts
//     what is beyond.
//   - A record keeps the question: Record.Attempt gives back exactly what was
//     asked, so that replay and suggest ask the policy the same again. What a
//     record of many does not share is named in "omitted", what found no room
//     is "truncated"; of records of schema 1 only the destination is known, and
//     answers that rest on them say so.
//   - A line is one line: at most 16 KiB, with every control byte, invalid
//     byte and formatting character escaped.
//   - "seq" grows strictly with the lines of one "boot". "time" is when the
//     decision was made; a folded record carries the time of its last one and is
//     written within a second of it.
//   - A query's memory is bounded, whatever the journal holds; what it has no
//     room to tell apart is still counted.
//   - The record of a start has "own", a list: the addresses of the gateway's
//     listeners (address:port) and of its host, at most 4 KiB of them. A review on
//     another host denies them as "self", as the gateway does.
//   - Nothing that is suggested is ever applied. What a suggestion prints is all
//     that it would permit; where only the denied client's attempts speak for it,
//     it is a comment with a question, the last, and one of each party.
//
// It refuses: to write query strings, credentials or request bodies (nobody
// hands it any); to create directories; to guess at a broken line, which is
// skipped and reported with its file and line number.
//
// The strings and names in an Attempt are kept as they are until written, so
// they must not share memory that changes; Raw, Resolved and Pinned are copied.
package denials
