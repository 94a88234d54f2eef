// Package denials is the review of a journal: it groups denials, suggests changes
// that would permit them, and asks another configuration about them.
//
// A Review reads, filters and adds up; the commands read a journal once with it,
// and the page keeps reviews and reads on. Site.Suggest tries changes of a
// configuration out in memory, Replay asks a configuration about every recorded
// decision, and Site.Used compares the rules in force with their use.
//
// The package promises:
//
//   - The memory of a query is bounded, whatever the journal holds. When there is
//     no room for another group, its denials are counted together with others.
//   - A suggestion lists all that it would permit, and is never applied. If only
//     the attempts of the denied client support it, it is a comment with a
//     question, it comes last, and there is one for each role or source.
//   - Answers that rest on records of schema 1 are marked: such a record gives
//     back its destination only.
//   - A review on another host denies the gateway's own addresses as "self", as
//     the gateway does.
package denials
