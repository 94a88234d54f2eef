// Package draft makes a draft profile from a vendor's list of names and ports:
// a table in CSV, TSV, Markdown or HTML, plain text as a PDF reader gives it, or
// one of the JSON formats that vendors publish for machines.
//
// A draft permits only what the list says without any ambiguity. A cell that cannot be
// read, or can be read in two ways, does not become a rule. It becomes a comment with
// the row's text and the reason, for a person to decide.
package draft
