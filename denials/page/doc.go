// Package page is the review in a browser: the groups of denials, what would
// permit them, the latest denials, the policy in force, and the gateway's health.
// It reads, and changes nothing.
//
// Page returns an http.Handler. The admin listener decides who may see it.
package page
