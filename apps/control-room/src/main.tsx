import { render } from 'solid-js/web';
import { AppContext, createApp } from './app.ts';
import { Root } from './frame/Root.tsx';
import './style/index.css';
import './theme.ts';

const element = document.getElementById('app');
if (element) {
  render(() => {
    const app = createApp();
    void app.start();
    return (
      <AppContext.Provider value={app}>
        <Root />
      </AppContext.Provider>
    );
  }, element);
}
