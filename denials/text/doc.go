// Package text is the review on a terminal: the tables, JSON and TOML that the
// subcommands of "sallyport denials" print.
package text
