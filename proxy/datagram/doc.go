// Package datagram carries the datagrams of clients to the destinations that they may reach. It
// knows no protocol of the client: a front end, such as SOCKS5 UDP ASSOCIATE, reads a datagram,
// and calls Send with the client's address, the destination and the content.
//
// A front end needs four calls:
//
//	table := datagram.New(datagram.Config{…})      // one for the process
//	group := table.Group(datagram.FrontEnd{…})     // one for each association or listener
//	group.Send(client, destination, content)       // for each datagram; it does not block
//	group.Close(rules.EndClean)                    // ends the flows of the group, and waits for them
//
// The first datagram from one client address to one destination begins a flow. The flow asks the
// Gate (FrontEnd.Ask fills the question), resolves the name, connects a socket to one address that
// the decision reaches, and asks the final question with that address. Only then its datagrams are
// sent. The socket is connected, so the kernel drops what does not come from the address and port
// that the flow sends to. What comes back goes to the Replier of the flow, which FrontEnd.Open
// returns.
//
// It guarantees:
//
//   - Nothing is sent before an allow, and only to the address of the final question.
//   - The address of a flow never changes: a flow resolves its name once.
//   - Every flow ends in exactly one final decision. If that is an allow, Config.Closed gets the
//     end with the bytes of both directions.
//   - Flows are bounded by a limit and a quota for each client, and end when they are idle.
//   - Send and a reply allocate nothing once the flow is open.
//
// A denied destination has no flow: each of its datagrams is an attempt, and is recorded. If a
// permitted destination cannot be connected, the datagrams to it are dropped for a second; then
// the next one tries again.
package datagram

import _ "sallyport" // this package needs Linux
