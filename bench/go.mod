module sallyport/bench

go 1.26.0

require (
	github.com/miekg/dns v1.1.73
	sallyport v0.0.0
)

require (
	github.com/BurntSushi/toml v1.6.0 // indirect
	github.com/agnivade/levenshtein v1.2.2 // indirect
	github.com/gaissmai/bart v0.30.0 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace sallyport => ../
