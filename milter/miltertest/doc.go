// Package miltertest is an MTA in a test: a raw client of the milter protocol,
// versions 2 to 6, that finds fault with every answer Postfix or sendmail would
// not take as it was meant.
//
// It knows packets and what the two MTAs do with them; it knows nothing of the
// filter under test. [Conn] sends single events, also broken ones; [Conn.Deliver]
// sends a whole message as an MTA does; [Delivery.Apply] gives the message that
// would be delivered. [Filter] is the other end, for tests of clients.
package miltertest
