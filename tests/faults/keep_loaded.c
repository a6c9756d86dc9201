/* Preloaded under the leak sanitizer: plugins stay loaded, so that what they leak has a name. */
int dlclose(void *handle) {
  (void)handle;
  return 0;
}
