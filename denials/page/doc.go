// Package page is the review in a browser: the groups of denials, what would
// permit them, the latest denials, the policy in force, and the gateway's health.
// The page only reads.
//
// Page returns an http.Handler. The admin listener decides who may see the page.
package page
