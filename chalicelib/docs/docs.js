"use strict";

const place = document.getElementById("docs");
const dark = matchMedia("(prefers-color-scheme: dark)");

function followTheme() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

followTheme();
dark.addEventListener("change", followTheme);

const ui = SwaggerUIBundle({
  domNode: place,
  url: place.dataset.document,
  deepLinking: true,
  // Else the page asks a validator on another host.
  validatorUrl: null,
  // Whoever signs in on the page is signed in on the page, until it is reloaded.
  responseInterceptor(response) {
    const access = response.obj?.access;
    if (response.ok && access) {
      ui.preauthorizeApiKey("bearer", access);
    }
    return response;
  },
});
