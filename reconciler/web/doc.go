// Package web shows what the daemon knows and lets people act: a JSON API,
// one page, probes and metrics. It declares the View and the Control it
// needs. It refuses to decide anything, and to show a secret: it is given
// none.
package web
