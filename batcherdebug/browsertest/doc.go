// Package browsertest has the tests of the page of package batcherdebug in a real browser, a headless
// Chromium. It is a module of its own, so that nothing of it comes with the library.
//
// With BROWSERTEST_SCREENSHOTS set to a folder, the tests leave pictures there.
package browsertest
