//go:build !linux

package sallyport

var _ = sallyport_runs_on_Linux_only
