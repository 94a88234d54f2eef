// Other: the sentence at which a build for another system stops.

//go:build !linux

package sallyport

var _ = sallyport_runs_on_Linux_only
