// Package text writes the tables, JSON and TOML that the subcommands of
// "sallyport denials" print.
package text
