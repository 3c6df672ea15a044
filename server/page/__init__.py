"""The page that the server shows of itself: plain HTML, CSS and JavaScript modules, without a build step."""
