// Package denials is the review of a journal: it groups denials, suggests changes
// that would permit them, and asks another configuration about them.
//
// A Review reads, filters and counts records. A command reads a journal once
// with a Review. The page keeps its reviews, and reads on with them. Site.Suggest
// tries changes of a configuration in memory. Replay asks a configuration about
// every recorded decision. Site.Used lists the rules in force with their use.
//
// The package promises:
//
//   - The memory of a query is bounded for every journal. When there is
//     no room for another group, its denials are counted together with others.
//   - A suggestion lists all that it would permit, and is never applied. If only
//     the attempts of the denied client support a suggestion, it is a comment
//     with a question. These suggestions come last, with at most one for each
//     role or source.
//   - Answers that rest on records of schema 1 are marked, because such a record
//     restores only its destination.
//   - A review on another host denies the gateway's own addresses as "self", as
//     the gateway does.
package denials
