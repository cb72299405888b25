// Package checks holds the built-in checks, one file each, and the Scanner that runs
// them.
package checks
