// Package denials is the review of a journal: it groups denials, says what
// would permit them, and asks another configuration about them.
//
// A Review reads, filters and adds up; the commands read a journal once with it,
// and the page keeps reviews and reads on. Site.Suggest tries changes of a
// configuration out in memory, Replay asks a configuration about every recorded
// decision, and Site.Used compares the rules in force with their use.
//
// The package promises:
//
//   - The memory of a query is bounded, whatever the journal holds. Denials for
//     which there is no room to tell them apart are still counted.
//   - A suggestion lists all that it would permit, and is never applied. Where
//     only the attempts of the denied client support it, it is a comment with a
//     question, it comes last, and there is one for each role or source.
//   - Answers that rest on records of schema 1 say so: of these only the
//     destination is known.
//   - A review on another host denies the gateway's own addresses as "self", as
//     the gateway does.
package denials
