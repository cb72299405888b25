// Package authres writes and reads Authentication-Results fields (RFC 8601): what a
// server has found out about the sender of a message, for the programs behind it.
//
// A field begins with the name of the service that wrote it, the authserv-id. Programs
// trust fields with the id of their own server; so a server has to remove those that
// came from outside, which [Service.Claims] tells apart.
//
// The package decides nothing; it doesn't know which results there may be.
package authres
