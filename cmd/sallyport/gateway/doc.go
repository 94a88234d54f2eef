// Package gateway is the daemon as a value: it loads a configuration, opens
// the listeners, puts policies in force, and serves.
package gateway

import _ "sallyport" // this package needs Linux
