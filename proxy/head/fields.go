// Head, fields: reads the fields that name the destination or frame the message. All other
// fields are only checked for their grammar.

package head

import (
	"strconv"
	"strings"

	"sallyport/rules"
)

// parseFields reads all field lines of a head.
func (h *Head) parseFields(s string) *headFault {
	h.close = !h.HTTP11
	for count := 0; s != ""; count++ {
		if count == maxHeaders {
			return &headFault{rules.SniffTooLong, "more than 200 header fields"}
		}
		var line string
		line, s, _ = strings.Cut(s, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isToken(name) { // catches obs-fold, and a space before the colon, too
			return malformed("broken header field")
		}
		if f := h.field(name, strings.Trim(value, " \t")); f != nil {
			return f
		}
	}
	return nil
}

// field reads one field. value has no white space around it.
func (h *Head) field(name, value string) *headFault {
	switch len(name) {
	case len("TE"):
		if strings.EqualFold(name, "TE") {
			h.teField(value)
		}
	case len("Via"):
		if strings.EqualFold(name, "Via") {
			h.Via += "," + value
		}
	case len("Host"):
		if strings.EqualFold(name, "Host") {
			return h.hostField(value)
		}
	case len("Expect"): // and Accept
		return h.expectOrAccept(name, value)
	case len("Upgrade"): // and Trailer
		return h.upgradeOrTrailer(name, value)
	case len("Connection"):
		if strings.EqualFold(name, "Connection") {
			h.connectionField(value)
		}
	case len("Max-Forwards"):
		if strings.EqualFold(name, "Max-Forwards") {
			return h.hopsField(value)
		}
	case len("Content-Length"):
		return h.lengthField(name, value)
	case len("Proxy-Authorization"):
		if strings.EqualFold(name, "Proxy-Authorization") {
			h.Authorizations++
			h.Authorization = strings.Clone(value) // outlives the head
		}
	case len("Transfer-Encoding"): // and Sec-WebSocket-Key
		if strings.EqualFold(name, "Sec-WebSocket-Key") {
			h.keyField(value)
			return nil
		}
		return h.encodingField(name, value)
	}
	return nil
}

// hostField reads the only Host field. Without a port, the Host has the default port of the
// scheme, or with CONNECT the port of the target.
func (h *Head) hostField(value string) *headFault {
	if h.HasHost {
		return malformed("two Host fields")
	}
	h.HasHost = true
	port := uint16(portHTTP)
	if h.Form == FormAuthority {
		port = h.Target.Port
	}
	var f *headFault
	h.Host, f = h.authority(value, port, "Host")
	return f
}

func (h *Head) expectOrAccept(name, value string) *headFault {
	switch {
	case strings.EqualFold(name, "Accept"):
		if h.Accept == "" {
			h.Accept = strings.Clone(value) // outlives the head
		}
	case strings.EqualFold(name, "Expect"):
		if h.Expects || !strings.EqualFold(value, "100-continue") {
			return malformed("Expect other than 100-continue")
		}
		h.Expects = true
	}
	return nil
}

func (h *Head) upgradeOrTrailer(name, value string) *headFault {
	switch {
	case strings.EqualFold(name, "Upgrade"):
		h.upgradeField(value)
	case strings.EqualFold(name, "Trailer"):
		for item := range strings.SplitSeq(value, ",") {
			switch strings.ToLower(strings.Trim(item, " \t")) {
			case "transfer-encoding", "content-length", "trailer", "host":
				return malformed("forbidden field in Trailer")
			}
		}
	}
	return nil
}

// connectionField looks for the options that matter here.
func (h *Head) connectionField(value string) {
	for option := range strings.SplitSeq(value, ",") {
		switch option = strings.Trim(option, " \t"); {
		case strings.EqualFold(option, "close"):
			h.close, h.closes = true, true
		case strings.EqualFold(option, "keep-alive") && !h.closes:
			h.close = false
		case strings.EqualFold(option, "upgrade"):
			h.hop.upgrade = true
		case strings.EqualFold(option, "te"):
			h.hop.te = true
		}
	}
}

// lengthField reads the only Content-Length field. Its value must be digits.
func (h *Head) lengthField(name, value string) *headFault {
	if !looksLike(name, "content-length") {
		return nil
	}
	if name[len("content")] != '-' || h.contentLength >= 0 || value == "" || len(value) > 18 {
		return malformed("broken or repeated Content-Length")
	}
	for i := 0; i < len(value); i++ {
		if value[i] < '0' || value[i] > '9' {
			return malformed("broken or repeated Content-Length")
		}
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return malformed("broken or repeated Content-Length")
	}
	h.contentLength = n
	return nil
}

// encodingField reads the only Transfer-Encoding field. Its value must be chunked.
func (h *Head) encodingField(name, value string) *headFault {
	if !looksLike(name, "transfer-encoding") {
		return nil
	}
	if name[len("transfer")] != '-' || h.chunked || !strings.EqualFold(value, "chunked") {
		return malformed("Transfer-Encoding other than one chunked")
	}
	h.chunked = true
	return nil
}

// looksLike reports whether name is the lower-case field, or whether a server that accepts other
// signs in place of hyphens would read it as that field.
func looksLike(name, field string) bool {
	for i := 0; i < len(field); i++ {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != field[i] && (field[i] != '-' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9') {
			return false
		}
	}
	return len(name) == len(field)
}
