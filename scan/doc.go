// Package scan is what judging a message means: symbols, findings, the report that
// they make up, and the scores from which an action is taken.
//
// It doesn't know what an action does to a message; that is package policy's work.
package scan
