// a script for browsers
