// Package rules decides which attempts to leave a network are permitted.
//
// It reads vendors' profiles and a site's configuration, compiles both into an
// immutable Policy, and answers one question: may this client reach this
// destination? Every front end fills an Attempt and obeys the Decision.
//
// It promises: zero values deny; a Decision is a pure function of the
// configuration, the date and the Attempt; Decide allocates nothing and takes
// time bounded by the deepest rule, whatever the name; exactly one function,
// ParseName, makes names.
//
// It refuses: to touch the network, the clock or the disk by itself, and to
// start from a configuration with any error.
package rules
