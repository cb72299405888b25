// Package filter is the order of events for one message: what is asked at which stage
// of SMTP, of whom, and what becomes of the answers.
//
// A Filter is one configuration at work and never changes. A Session follows one
// milter connection; each message in it keeps the Filter that was current at its MAIL
// FROM, so that a reload cannot change a decision half-way. What was found and done is
// a Result, of which the log line, figures and all later records are renderings.
//
// It decides nothing itself: judging is package scan's work and what to do about it
// package policy's.
package filter
