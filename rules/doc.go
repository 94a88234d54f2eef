// Package rules decides which attempts to leave a network are permitted.
//
// Compile turns a Spec, the policy part of a site's configuration, into an
// immutable Policy. The Policy answers one question: may this client reach this
// destination? Every front end fills an Attempt and obeys the Decision.
//
// The package guarantees: zero values deny. A Decision depends only on the Spec, the
// date and the Attempt. Decide allocates nothing. Its time depends on the labels of the
// deepest rule, not on the length of the name. Only ParseName makes names.
//
// The package never touches the network, the clock or the disk.
package rules
