// Package trust says who may join a grid, and who may give it orders.
//
// In:  certificate requests, bearer tokens and their records, HTTP requests; the time as an argument or a function.
// Out: certificates of the grid's own Authority, TLS configurations that accept nobody else, and a Caller with a Role.
//
//	Authority   the grid's CA; its key is on nodes that vote, and nowhere else
//	Identity    a node's key and certificate chain, on disk and in use; the Renewer keeps it young
//	Token       what people and joining nodes carry; it pins the Authority, so it is enough to find the right server
//	Identify    who sends this request: by a verified certificate of role node, or by a token
//
// Invariant: the authority signs for role node alone, so that whoever its certificates let in, etcd's peer port included, is a
// node (TestTheAuthoritySignsForNodesAlone); a secret is shown by Reveal and by nothing else (TestASecretIsNeverShown).
// Not here: the HTTP paths through which nodes join and renew (node), who may do what (their handlers call Allow), and whether a
// node that proves its name is still a member (the nodes' records in package cluster).
package trust
