// Package sink sends the records of the journal to the receivers of [[sink]].
//
// A Sender serves one sink. It reads the journal's files, not the process: so a sink that is slow or
// dead costs the gate nothing, and a record that is on the disk is sent, whatever happened to the
// receiver, to sallyport or to the names of the files meanwhile.
//
// The package promises:
//
//   - At least once, and in the order of each file. A record that is sent twice has the same ID,
//     boot-seq.
//   - The place up to which the receiver has everything is kept in a file beside the journal, and
//     never runs ahead of the receiver. Syslog has no acknowledgement. So a record counts as
//     delivered when its connection has worked for ten seconds after the receiver's kernel had
//     it, or when the receiver closes the connection after us. Until then a new connection begins
//     with it again.
//   - Memory is bounded: one batch of at most 256 records and about 256 KiB, and at most 4096 places
//     of batches that are not delivered yet.
//   - A failed sink is tried again after a second, and then less and less often, up to once a
//     minute, with jitter.
//   - A record that was removed from the disk before it was sent is counted as lost, and the log
//     names the records beside the gap.
//   - No text of a client can begin a message or end a field: a message is framed by its length, and
//     everything in it is escaped.
package sink

import _ "sallyport" // this package needs Linux
