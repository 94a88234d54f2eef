// Machine: the JSON formats in which vendors publish their lists for machines.

package draft

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// A Source is a JSON format that a vendor publishes.
type Source string

// The formats for machines.
const (
	M365       Source = "m365"          // Microsoft's endpoint web service: an array of endpoint sets
	GitHubMeta Source = "github-meta"   // GitHub's REST API, GET /meta
	AWSRanges  Source = "aws-ip-ranges" // Amazon's ip-ranges.json
)

// Sources lists the formats for machines.
func Sources() []Source { return []Source{M365, GitHubMeta, AWSRanges} }

// Filter chooses a part of a list. Empty fields choose everything.
type Filter struct {
	Service string // m365: serviceArea; github-meta: key, such as "hooks"; aws: service, such as "S3"
	Region  string // aws: region
	Ports   string // for formats that list no ports: "tcp 443", as in a cell of a table
	Needed  bool   // m365: only what the list calls required
}

// FromMachine makes a draft of a list for machines.
func FromMachine(s Source, data []byte, o Options, f Filter) (*Draft, error) {
	if len(data) > maxDocument {
		return nil, fmt.Errorf("the document is larger than %d MiB", maxDocument>>20)
	}
	var rows []machineRow
	var err error
	switch s {
	case M365:
		rows, err = readM365(data, f)
	case GitHubMeta:
		rows, err = readGitHub(data, f)
	case AWSRanges:
		rows, err = readAWS(data, f)
	default:
		return nil, fmt.Errorf("%q is not a format for machines: %v", s, Sources())
	}
	switch {
	case err != nil:
		return nil, err
	case len(rows) == 0:
		return nil, fmt.Errorf("no entry of the list fits service %q and region %q", f.Service, f.Region)
	}
	d := &Draft{Options: o}
	for _, r := range rows {
		d.addMachine(r)
	}
	for i := range d.Rows {
		d.Rows[i].ID = ruleID(rows[i].id)
	}
	d.nameRules()
	return d, nil
}

// machineRow is one entry of a list for machines.
type machineRow struct {
	id, section, purpose, note string
	to                         []string
	optional                   string // why a site may not need the entry; "": each site needs it
	tcp, udp, ports            string // ports: as in a cell of a table
}

// addMachine makes an entry of a row. If a rule cannot express a destination,
// addMachine leaves the destination out and adds it to the note. The list gives each
// destination by itself, so the other destinations keep their meaning.
func (d *Draft) addMachine(r machineRow) {
	e := Entry{Section: r.section, Purpose: clean(r.purpose), Text: clean(strings.Join(r.to, " "))}
	if r.note != "" {
		e.Remarks = append(e.Remarks, clean(r.note))
	}
	var out []string
	for _, t := range r.to {
		c := readDestinations(t)
		if len(c.doubts) > 0 || len(c.to) == 0 {
			out = append(out, t)
			continue
		}
		for _, one := range c.to {
			e.To = appendNew(e.To, one)
		}
	}
	if len(out) > 0 {
		e.Remarks = append(e.Remarks, "NOTE: left out, because a rule cannot express it: "+strings.Join(out, ", ")+".")
	}
	ports := readPorts(r.ports, protocols{})
	tcp, udp := readPorts(r.tcp, protocols{tcp: true}), readPorts(r.udp, protocols{udp: true})
	e.TCP, e.UDP = slices.Concat(ports.tcp, tcp.tcp), slices.Concat(ports.udp, udp.udp)
	e.Doubts = slices.Concat(ports.doubts, tcp.doubts, udp.doubts)
	switch {
	case len(e.To) == 0:
		e.Doubts = append(e.Doubts, "a rule can express none of its destinations")
	case len(e.TCP)+len(e.UDP) == 0:
		e.Doubts = append(e.Doubts, "the list gives no ports")
	}
	e.Likely.To, e.Likely.TCP, e.Likely.UDP = e.To, e.TCP, e.UDP
	if r.optional != "" {
		e.Doubts, e.Likely.Feature = append(e.Doubts, r.optional), strings.TrimSpace(e.Purpose+" "+clean(r.note))
	}
	d.Rows = append(d.Rows, e)
}

// strict decodes JSON and refuses anything after it.
func strict(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("the JSON does not match the format: %w", err)
	}
	if dec.More() {
		return fmt.Errorf("unexpected data after the end of the JSON, at octet %d", dec.InputOffset())
	}
	return nil
}

// readM365 reads the answer of endpoints.office.com/endpoints.
func readM365(data []byte, f Filter) ([]machineRow, error) {
	var sets []struct {
		ID                     int      `json:"id"`
		ServiceArea            string   `json:"serviceArea"`
		ServiceAreaDisplayName string   `json:"serviceAreaDisplayName"`
		URLs                   []string `json:"urls"`
		IPs                    []string `json:"ips"`
		TCPPorts               string   `json:"tcpPorts"`
		UDPPorts               string   `json:"udpPorts"`
		Category               string   `json:"category"`
		Required               bool     `json:"required"`
		Notes                  string   `json:"notes"`
	}
	if err := strict(data, &sets); err != nil {
		return nil, err
	}
	var rows []machineRow
	for _, s := range sets {
		if f.Needed && !s.Required || f.Service != "" && !strings.EqualFold(f.Service, s.ServiceArea) {
			continue
		}
		need, optional := "optional", "the list says that this entry is not required; a feature makes a rule conditional"
		if s.Required {
			need, optional = "required", ""
		}
		rows = append(rows, machineRow{
			id: fmt.Sprintf("id-%d", s.ID), section: s.ServiceArea, note: s.Notes, optional: optional,
			purpose: fmt.Sprintf("%s, category %s, %s", s.ServiceAreaDisplayName, s.Category, need),
			to:      slices.Concat(s.URLs, s.IPs), tcp: s.TCPPorts, udp: s.UDPPorts,
		})
	}
	return rows, nil
}

// readGitHub reads the answer of api.github.com/meta. The answer has a list of prefixes
// for each use, and lists of names below "domains". It has no ports.
func readGitHub(data []byte, f Filter) ([]machineRow, error) {
	var all map[string]json.RawMessage
	if err := strict(data, &all); err != nil {
		return nil, err
	}
	lists := map[string][]string{}
	for key, raw := range all {
		if key == "domains" {
			var domains map[string]json.RawMessage
			if err := json.Unmarshal(raw, &domains); err != nil {
				return nil, fmt.Errorf("domains: %w", err)
			}
			for use, r := range domains {
				if list := destinationList(r); list != nil {
					lists["domains."+use] = list
				}
			}
			continue
		}
		if list := destinationList(raw); list != nil {
			lists[key] = list
		}
	}
	var rows []machineRow
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		if f.Service != "" && f.Service != key {
			continue
		}
		rows = append(rows, machineRow{
			id: strings.ToLower(strings.NewReplacer(".", "-", "_", "-").Replace(key)), section: key,
			purpose: "GitHub: " + key, to: lists[key], ports: f.Ports,
		})
	}
	return rows, nil
}

// destinationList returns the texts of a list if each of them is a name or a prefix. It
// returns nil for anything else: keys, fingerprints, flags.
func destinationList(raw json.RawMessage) []string {
	var list []string
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	for _, s := range list {
		if c := readDestinations(s); len(c.to) == 0 && !strings.Contains(s, "*") {
			return nil
		}
	}
	return list
}

// readAWS reads ip-ranges.json. It returns one entry for each service and region. The
// file has no ports.
func readAWS(data []byte, f Filter) ([]machineRow, error) {
	type prefix struct {
		V4      string `json:"ip_prefix"`
		V6      string `json:"ipv6_prefix"`
		Region  string `json:"region"`
		Service string `json:"service"`
	}
	var all struct {
		CreateDate string   `json:"createDate"`
		Prefixes   []prefix `json:"prefixes"`
		V6Prefixes []prefix `json:"ipv6_prefixes"`
	}
	if err := strict(data, &all); err != nil {
		return nil, err
	}
	if f.Service == "" {
		return nil, fmt.Errorf("name a service: the whole list contains the addresses of every Amazon customer")
	}
	rows := map[string]*machineRow{}
	for _, p := range slices.Concat(all.Prefixes, all.V6Prefixes) {
		if !strings.EqualFold(p.Service, f.Service) || f.Region != "" && !strings.EqualFold(p.Region, f.Region) {
			continue
		}
		addr := p.V4 + p.V6
		if _, err := netip.ParsePrefix(addr); err != nil {
			return nil, fmt.Errorf("%q is not a prefix", addr)
		}
		key := strings.ToLower(strings.ReplaceAll(p.Service+"-"+p.Region, "_", "-"))
		if rows[key] == nil {
			rows[key] = &machineRow{
				id: key, section: p.Service, ports: f.Ports,
				purpose: fmt.Sprintf("Amazon %s in %s, list of %s", p.Service, p.Region, all.CreateDate),
			}
		}
		rows[key].to = append(rows[key].to, addr)
	}
	var out []machineRow
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		out = append(out, *rows[key])
	}
	return out, nil
}
