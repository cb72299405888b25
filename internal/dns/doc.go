// Package dns asks the resolvers that the configuration names, and remembers what they
// said.
//
// A [Resolver] is a caching stub resolver: it sends questions to recursive servers, or
// to a server of one's own for some zones, and follows no delegations. It bounds
// everything: the questions in flight, the time and the servers that each takes, the
// size of an answer and the memory of the cache. [Resolver.ForMessage] gives the view of
// one message, with a budget and a record of what was asked.
//
// An [Answer] has what was found. An [Error] says why there is nothing: that the name
// does not exist or has no such record, which is an answer, too, or that nobody could
// tell, which is [Error.Temporary]. A failure is never taken for "not found".
//
// The package knows nothing of mail. It does not validate DNSSEC; it passes on what a
// resolver says of that.
package dns
